package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/leatio/leat/cloud/api"
)

const (
	maxAgentBytes = 15_000_000
	maxIdleMiB    = 20
	settle        = 10 * time.Second // an idle agent's memory is read after it
)

// size builds the agent stripped, as it is shipped, for both architectures.
func (b *bench) size() error {
	for _, arch := range []string{"amd64", "arm64"} {
		out := filepath.Join(b.dir, "leat-agent-"+arch)
		cmd := exec.CommandContext(b.ctx, "make", "-s", "agent", "OUT="+out)
		cmd.Dir, cmd.Stderr = b.root, os.Stderr
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if err := cmd.Run(); err != nil {
			return err
		}
		info, err := os.Stat(out)
		if err != nil {
			return err
		}
		b.report.most("agent binary, linux/"+arch, float64(info.Size()), "bytes", maxAgentBytes)
	}
	return nil
}

// memory starts a broker, a cloud node and an agent with the greenhouse
// example, whose function is written in C, and reads the agent's resident memory when nothing happens.
func (b *bench) memory() (err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	broker := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := errors.Join(broker.AddHook(new(auth.AllowHook), nil), broker.AddListener(listeners.NewNet("l", l)), broker.Serve()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	apiAddr, agentAddr, err := freePorts()
	if err != nil {
		return err
	}
	cloud, err := b.start("leat-cloud", "--data-dir", filepath.Join(b.dir, "cloud"), "--api", apiAddr, "--listen", agentAddr)
	if err != nil {
		return err
	}
	defer cloud.stop()
	client, err := api.NewClient(apiAddr, "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := until(ctx, "the cloud node answers", func() bool { _, err := client.Status(ctx); return err == nil }); err != nil {
		return errors.Join(err, errors.New(cloud.talk.String()))
	}
	token, err := client.Token(ctx, api.TokenRequest{Name: "bench"})
	if err != nil {
		return err
	}
	if err := b.apply(ctx, client, "tcp://"+l.Addr().String()); err != nil {
		return err
	}
	agent, err := b.start("leat-agent", "--data-dir", filepath.Join(b.dir, "agent"), "--token", token.Token)
	if err != nil {
		return err
	}
	defer agent.stop()
	running := func() bool {
		agents, err := client.Agents(ctx)
		return err == nil && len(agents) == 1 && len(agents[0].Pipelines) == 1 && agents[0].Pipelines[0].State == "running"
	}
	if err := until(ctx, "the pipeline runs on the agent", running); err != nil {
		return errors.Join(err, errors.New(agent.talk.String()))
	}
	select {
	case <-time.After(settle):
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
	rss, err := agent.residentMiB()
	if err != nil {
		return err
	}
	b.report.most("agent, idle, one C function: resident", rss, "MiB", maxIdleMiB)
	return nil
}

// apply applies the greenhouse example for a broker.
func (b *bench) apply(ctx context.Context, client *api.Client, broker string) error {
	dir := filepath.Join(b.root, "examples")
	file, err := os.ReadFile(filepath.Join(dir, "greenhouse/pipeline.yaml"))
	if err != nil {
		return err
	}
	code, err := os.ReadFile(filepath.Join(dir, "udf/dewpoint-c.wasm"))
	if err != nil {
		return err
	}
	file = bytes.ReplaceAll(file, []byte("tcp://127.0.0.1:1883"), []byte(broker))
	_, err = client.Apply(ctx, "pipeline.yaml", string(file), map[string][]byte{"../udf/dewpoint-c.wasm": code})
	return err
}

// daemon is a process of ours.
type daemon struct {
	cmd  *exec.Cmd
	talk *bytes.Buffer
}

func (b *bench) start(name string, args ...string) (*daemon, error) {
	d := &daemon{cmd: exec.CommandContext(b.ctx, b.bin(name), args...), talk: &bytes.Buffer{}}
	d.cmd.Stderr = d.talk
	return d, d.cmd.Start()
}

func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = d.cmd.Wait() // its end is all that counts
}

func (d *daemon) residentMiB() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(v)[0])
			return float64(kib) / 1024, err
		}
	}
	return 0, errors.New("/proc tells no VmRSS")
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

func until(ctx context.Context, what string, ok func() bool) error {
	for !ok() {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s: not within the time: %w", what, ctx.Err())
		}
	}
	return nil
}
