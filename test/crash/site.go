package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Names of pipelines and tables.
const (
	windowsTable = "crash_windows"
	rowsTable    = "crash_rows"
	agentName    = "gateway-1"
	publisherID  = "crash-publisher"
)

// ErrNoBroker says that mosquitto is not installed.
var ErrNoBroker = errors.New("mosquitto is not installed: `apt-get install mosquitto`, or `make deps`")

// site is everything that runs.
type site struct {
	cfg   Config
	ports struct{ mqtt, agents, api, metrics int }

	witness     *witness
	brokerLog   *os.File
	broker      *exec.Cmd
	brokerEnded chan error

	cloud, agent         *daemon
	cloudView, agentView *scraper
}

// findBroker gives the path of mosquitto.
func findBroker() (string, error) {
	for _, path := range []string{"mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", ErrNoBroker
}

// newSite writes the configs; nothing runs yet.
func newSite(cfg Config, died func(error)) (*site, error) {
	s := &site{cfg: cfg}
	for _, p := range []*int{&s.ports.mqtt, &s.ports.agents, &s.ports.api, &s.ports.metrics} {
		var err error
		if *p, err = freePort(); err != nil {
			return nil, err
		}
	}
	log, err := os.Create(filepath.Join(cfg.Dir, "broker.log"))
	if err != nil {
		return nil, err
	}
	s.brokerLog = log
	s.witness = newWitness(publisherID, log)
	s.cloud = newDaemon("leat-cloud", cfg.Dir, filepath.Join(cfg.Bin, "leat-cloud"), died, "--config", s.path("cloud.yaml"))
	s.agent = newDaemon("leat-agent", cfg.Dir, filepath.Join(cfg.Bin, "leat-agent"), died, "--config", s.path("agent.yaml"))
	s.cloudView = newScraper(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.ports.api), s.cloud)
	s.agentView = newScraper(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.ports.metrics), s.agent)
	return s, errors.Join(
		s.write("mosquitto.conf", mosquittoConf, s.ports.mqtt),
		s.write("cloud.yaml", cloudYAML, s.path("cloud"), s.ports.agents, s.ports.api),
		s.write(windowsTable+".yaml", windowsYAML, s.ports.mqtt),
		s.write(rowsTable+".yaml", rowsYAML, s.ports.mqtt))
}

func (s *site) path(name string) string { return filepath.Join(s.cfg.Dir, name) }

func (s *site) write(name, format string, args ...any) error {
	return os.WriteFile(s.path(name), fmt.Appendf(nil, format, args...), 0o600)
}

// Queue and in-flight limits are the broker's defaults: 1,000 and 20. The log is the witness's.
const mosquittoConf = `listener %d 127.0.0.1
allow_anonymous true
persistence false
sys_interval 1
log_dest stderr
log_type all
log_timestamp false
`

// Checkpoints are frequent, so that most lives of a node end behind one, with records to replay.
const cloudYAML = `data_dir: %s
listen: 127.0.0.1:%d
api: 127.0.0.1:%d
checkpoint_every: 500ms
query: {rows: 2000000, time: 60s, size: 1GiB}
`

const agentYAML = `data_dir: %s
name: %s
token: %s
metrics_listen: 127.0.0.1:%d
`

// Frames leave often, so that one is on its way at most moments. Nothing is late: the lateness is longer than the input.
const windowsYAML = `name: ` + windowsTable + `
source:
  mqtt: {broker: "tcp://127.0.0.1:%d", topics: ["crash/+"], qos: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, value: double}
  event_time: {column: ts, max_disorder: 2s}
freshness: 20ms
steps:
  - window:
      by: [device]
      tumbling: 10s
      allowed_lateness: 30d
      emit: {n: "count(*)", total: "sum(value)", low: "min(value)", high: "max(value)", mean: "avg(value)"}
sinks:
  - table: {name: ` + windowsTable + `, keep: 0s}
`

const rowsYAML = `name: ` + rowsTable + `
source:
  mqtt: {broker: "tcp://127.0.0.1:%d", topics: ["crash/+"], qos: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, value: double}
  event_time: {column: ts, max_disorder: 2s}
freshness: 20ms
sinks:
  - table: {name: ` + rowsTable + `, keep: 0s}
`

// freePort gives a port that is free for TCP and UDP. It is taken from below
// the ports that systems give to outgoing connections, as it is bound anew after each kill.
func freePort() (int, error) {
	for range 200 {
		port := 15_000 + rand.IntN(15_000)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		tcp, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		udp, err := net.ListenPacket("udp", addr)
		if err = errors.Join(err, tcp.Close()); err != nil {
			continue
		}
		return port, udp.Close()
	}
	return 0, errors.New("no free port was found between 15000 and 30000")
}

// start brings everything up to the point where messages are taken.
func (s *site) start(ctx context.Context) error {
	if err := s.startBroker(ctx); err != nil {
		return err
	}
	if err := s.cloud.start(); err != nil {
		return err
	}
	if err := s.answers(ctx, "leat-cloud", s.cloudView); err != nil {
		return err
	}
	token, err := s.leat(ctx, "fleet", "token")
	if err != nil {
		return err
	}
	if err := s.write("agent.yaml", agentYAML, s.path("agent"), agentName, strings.TrimSpace(string(token)), s.ports.metrics); err != nil {
		return err
	}
	if err := s.agent.start(); err != nil {
		return err
	}
	if err := s.answers(ctx, "leat-agent", s.agentView); err != nil {
		return err
	}
	if _, err := s.leat(ctx, "apply", s.path(windowsTable+".yaml"), s.path(rowsTable+".yaml")); err != nil {
		return err
	}
	return s.until(ctx, "both pipelines subscribe", func(ctx context.Context) error {
		return s.witness.wait(ctx, func() bool { return len(s.witness.subscribers()) == 2 })
	})
}

func (s *site) startBroker(ctx context.Context) error {
	bin, err := findBroker()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	s.broker = exec.Command(bin, "-c", s.path("mosquitto.conf"))
	s.broker.Stderr = w
	err = s.broker.Start()
	if err = errors.Join(err, w.Close()); err != nil {
		return errors.Join(fmt.Errorf("start mosquitto: %w", err), r.Close())
	}
	s.brokerEnded = make(chan error, 1)
	go func() {
		err := s.witness.follow(r) // to the end of the process
		_, _ = io.Copy(io.Discard, r)
		s.brokerEnded <- errors.Join(err, s.broker.Wait(), r.Close())
	}()
	return s.until(ctx, "mosquitto listens", func(ctx context.Context) error {
		return retry(ctx, func() error {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", s.ports.mqtt))
			if err != nil {
				return err
			}
			return c.Close()
		})
	})
}

// until bounds a wait and names what was waited for.
func (s *site) until(ctx context.Context, what string, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Settle)
	defer cancel()
	if err := f(ctx); err != nil {
		return fmt.Errorf("waited for: %s: %w", what, err)
	}
	return nil
}

// retry calls f until it succeeds or ctx ends.
func retry(ctx context.Context, f func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// answers waits until a daemon gives metrics.
func (s *site) answers(ctx context.Context, name string, v *scraper) error {
	return s.until(ctx, name+" answers", func(ctx context.Context) error {
		return retry(ctx, func() error {
			_, err := v.scrape(ctx)
			return err
		})
	})
}

// leat runs the command line tool against the node and gives its standard output.
func (s *site) leat(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.cfg.Bin, "leat"), append([]string{"--api", fmt.Sprintf("127.0.0.1:%d", s.ports.api)}, args...)...)
	cmd.Env = environment()
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("leat %s: %w: %s", strings.Join(args, " "), err, talk.String())
	}
	if talk.Len() > 0 && strings.Contains(talk.String(), "only the first") {
		return nil, fmt.Errorf("leat %s: %s", strings.Join(args, " "), talk.String())
	}
	return out, nil
}

// query runs a statement with `leat query`.
func query[T any](ctx context.Context, s *site, sql string) ([]T, error) {
	out, err := s.leat(ctx, "query", "-o", "json", "--rows", "2000000", sql)
	if err != nil {
		return nil, err
	}
	var rows []T
	if err := json.Unmarshal(out, &rows); err != nil {
		return nil, fmt.Errorf("answer of %q: %w", sql, err)
	}
	return rows, nil
}

// close ends what still runs, without ceremony.
func (s *site) close() error {
	errs := []error{s.agent.kill(), s.cloud.kill()}
	if s.broker != nil && s.broker.Process != nil && s.brokerEnded != nil {
		errs = append(errs, s.broker.Process.Signal(os.Interrupt), <-s.brokerEnded)
	}
	return errors.Join(append(errs, s.brokerLog.Close())...)
}
