package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/leatio/leat/cloud/api"
)

const greenhouse = "greenhouse" // the example's pipeline

// site is a cloud node and an agent that has joined it, as processes.
type site struct {
	b      *bench
	dir    string
	client *api.Client
	cloud  *daemon
	agent  *daemon
}

// newSite starts a node and an agent; they stop with close.
func (b *bench) newSite(ctx context.Context, name string) (s *site, err error) {
	s = &site{b: b, dir: filepath.Join(b.dir, name)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, err
	}
	apiAddr, agentAddr, err := freePorts()
	if err != nil {
		return nil, err
	}
	if s.cloud, err = b.start("leat-cloud", "--data-dir", filepath.Join(s.dir, "cloud"), "--api", apiAddr, "--listen", agentAddr); err != nil {
		return nil, err
	}
	if s.client, err = api.NewClient(apiAddr, ""); err != nil {
		return nil, err
	}
	if err := s.cloud.until(ctx, "the cloud node answers", func() bool { _, err := s.client.Status(ctx); return err == nil }); err != nil {
		return nil, err
	}
	token, err := s.client.Token(ctx, api.TokenRequest{Name: "bench"})
	if err != nil {
		return nil, err
	}
	if s.agent, err = b.start("leat-agent", "--data-dir", filepath.Join(s.dir, "agent"), "--token", token.Token); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *site) close() {
	for _, d := range []*daemon{s.agent, s.cloud} {
		if d != nil {
			d.stop()
		}
	}
}

// apply applies the greenhouse example, whose function is written in C, for a
// broker and a QoS, and waits until the agent has subscribed.
func (s *site) apply(ctx context.Context, broker string, qos int) error {
	dir := filepath.Join(s.b.root, "examples")
	file, err := os.ReadFile(filepath.Join(dir, "greenhouse/pipeline.yaml"))
	if err != nil {
		return err
	}
	code, err := os.ReadFile(filepath.Join(dir, "udf/dewpoint-c.wasm"))
	if err != nil {
		return err
	}
	text := string(file)
	for before, after := range map[string]string{"tcp://127.0.0.1:1883": broker, "qos: 1 ": "qos: " + strconv.Itoa(qos) + " "} {
		if !strings.Contains(text, before) {
			return fmt.Errorf("the greenhouse example no longer has %q", before)
		}
		text = strings.ReplaceAll(text, before, after)
	}
	applied, err := s.client.Apply(ctx, "pipeline.yaml", text, map[string][]byte{"../udf/dewpoint-c.wasm": code}, nil)
	if err != nil {
		return err
	}
	return s.agent.until(ctx, "the agent subscribes", func() bool {
		p, err := s.pipeline(ctx)
		return err == nil && p.Version == applied.Pipeline.Version && p.State == "running" && p.SourceConnected
	})
}

// pipeline is how the pipeline fares on the agent.
func (s *site) pipeline(ctx context.Context) (api.AgentPipeline, error) {
	agents, err := s.client.Agents(ctx)
	if err != nil {
		return api.AgentPipeline{}, err
	}
	if len(agents) == 1 {
		for _, p := range agents[0].Pipelines {
			if p.Name == greenhouse {
				return p, nil
			}
		}
	}
	return api.AgentPipeline{}, errors.New("the agent does not run it")
}

// received waits until the agent has taken in at least so many rows.
func (s *site) received(ctx context.Context, rows uint64) error {
	return s.agent.until(ctx, fmt.Sprintf("the agent has %d rows", rows), func() bool {
		p, err := s.pipeline(ctx)
		return err == nil && p.Rows >= rows
	})
}

// daemon is a process of ours.
type daemon struct {
	name string
	cmd  *exec.Cmd
	log  string // file
}

func (b *bench) start(name string, args ...string) (*daemon, error) {
	return b.startFile(name, b.bin(name), args...)
}

func (b *bench) startFile(name, file string, args ...string) (*daemon, error) {
	log, err := os.CreateTemp(b.dir, name+"-*.log")
	if err != nil {
		return nil, err
	}
	d := &daemon{name: name, cmd: exec.CommandContext(b.ctx, file, args...), log: log.Name()}
	d.cmd.Stdout, d.cmd.Stderr = log, log
	return d, errors.Join(d.cmd.Start(), log.Close())
}

func (d *daemon) stop() {
	if d.cmd.Process == nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = d.cmd.Wait() // its end is all that counts
}

// until waits for a condition; the error has the end of the daemon's log.
func (d *daemon) until(ctx context.Context, what string, ok func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			text, err := os.ReadFile(d.log)
			text = text[max(0, len(text)-2000):]
			return errors.Join(fmt.Errorf("waited for: %s: %w; the log of %s ends: %s", what, context.Cause(ctx), d.name, text), err)
		}
	}
	return nil
}

// residentMiB is the memory that is resident.
func (d *daemon) residentMiB() (float64, error) { return memoryMiB(d.cmd.Process.Pid, "VmRSS") }

// memoryMiB reads a field of a process's status.
func memoryMiB(pid int, field string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			kib, err := strconv.Atoi(strings.Fields(v)[0])
			return float64(kib) / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc tells no %s of process %d: has it ended?", field, pid)
}

// cpu is the time, user and system, that the process has used.
func (d *daemon) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, behind, _ := strings.Cut(string(text), ") ") // behind the name, which may hold anything
	fields := strings.Fields(behind)
	if len(fields) < 13 {
		return 0, errors.New("/proc tells no CPU time")
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100, errors.Join(err1, err2) // Linux counts hundredths
}

func freePorts() (tcp, udp string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", "", errors.Join(err, l.Close())
	}
	return l.Addr().String(), p.LocalAddr().String(), errors.Join(l.Close(), p.Close())
}
