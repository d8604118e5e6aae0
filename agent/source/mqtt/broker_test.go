package mqtt

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/leatio/leat/agent/source"
)

const patience = 20 * time.Second

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
		time.Sleep(2 * time.Millisecond) // between two looks at the condition
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only its number was wanted
	return l.Addr().String()
}

// mosquitto is a real broker in a process of its own.
type mosquitto struct {
	t       *testing.T
	dir     string
	address string
	cmd     *exec.Cmd
}

func newMosquitto(t *testing.T, persist bool) *mosquitto {
	t.Helper()
	const path = "/usr/sbin/mosquitto"
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs mosquitto, which CI installs: apt-get install mosquitto")
	}
	m := &mosquitto{t: t, dir: t.TempDir(), address: freeAddress(t)}
	_, port, _ := net.SplitHostPort(m.address)
	conf := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 1000000\nuser root\n", port)
	if persist {
		conf += fmt.Sprintf("persistence true\npersistence_location %s/\n", m.dir)
	}
	if err := os.WriteFile(filepath.Join(m.dir, "mosquitto.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.stop)
	return m
}

func (m *mosquitto) start() {
	m.cmd = exec.Command("/usr/sbin/mosquitto", "-c", filepath.Join(m.dir, "mosquitto.conf"))
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	until(m.t, "mosquitto answers", func() bool {
		c, err := net.Dial("tcp", m.address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// stop ends the broker, which writes its state if it is persistent.
func (m *mosquitto) stop() {
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Signal(os.Interrupt)
	_ = m.cmd.Wait()
	m.cmd = nil
}

func newMochi(t *testing.T, conf listeners.Config, hook mochi.Hook) (*mochi.Server, string) {
	t.Helper()
	server := mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if hook == nil {
		hook = new(auth.AllowHook)
	}
	if err := server.AddHook(hook, nil); err != nil {
		t.Fatal(err)
	}
	conf.ID, conf.Address = "t", freeAddress(t)
	if err := server.AddListener(listeners.NewTCP(conf)); err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server, conf.Address
}

// publisher sends at QoS 1 and keeps count.
type publisher struct {
	t      *testing.T
	client paho.Client
}

func newPublisher(t *testing.T, address string) *publisher {
	t.Helper()
	p := &publisher{t: t, client: paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + address).SetClientID("publisher"))}
	if token := p.client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal("publisher: ", token.Error())
	}
	t.Cleanup(func() { p.client.Disconnect(100) })
	return p
}

func (p *publisher) send(topic string, qos byte, payload string) {
	p.t.Helper()
	if token := p.client.Publish(topic, qos, false, payload); !token.WaitTimeout(patience) || token.Error() != nil {
		p.t.Fatal("publish: ", token.Error())
	}
}

// proxy stands between source and broker and cuts connections, which the
// source sees as the broker dying and the broker as the agent dying.
type proxy struct {
	address string
	mu      sync.Mutex
	conns   []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String()}
	t.Cleanup(func() { _ = l.Close(); p.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
	return p
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// agent runs a source and commits its chunks to a store that outlives it.
type agent struct {
	t      *testing.T
	src    *Source
	store  memStore
	cancel context.CancelFunc
	done   chan error
	chunk  source.Chunk
}

func newAgent(t *testing.T, cfg Config, store memStore) *agent {
	t.Helper()
	if cfg.ClientID == "" {
		cfg.ClientID = "agent"
	}
	if len(cfg.Topics) == 0 {
		cfg.Topics = []string{"in/#"}
	}
	cfg.Prefix, cfg.MinBackoff, cfg.MaxBackoff = "mqtt/", time.Millisecond, 20*time.Millisecond
	src, err := New(cfg, store)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &agent{t: t, src: src, store: store, cancel: cancel, done: make(chan error, 1)}
	go func() { a.done <- src.Run(ctx) }()
	t.Cleanup(a.kill)
	return a
}

// kill ends the source; what was not acknowledged stays so.
func (a *agent) kill() {
	if a.cancel == nil {
		return
	}
	a.cancel()
	a.cancel = nil
	select {
	case err := <-a.done:
		if err != nil {
			a.t.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		a.t.Errorf("Run does not end")
	}
}

// commitOne takes one chunk and commits it with its effects.
func (a *agent) commitOne(most int, callDone bool) (payloads []string) {
	a.src.Take(&a.chunk, most)
	for _, m := range a.chunk.Messages {
		payloads = append(payloads, string(m.Payload))
	}
	a.store.commit(a.chunk.Puts)
	if callDone && a.chunk.Done != nil {
		a.chunk.Done()
	}
	return payloads
}

func (a *agent) waitConnected() {
	a.t.Helper()
	until(a.t, "connected", func() bool {
		a.commitOne(0, true) // a new session may want its Puts committed
		return a.src.Connected()
	})
}
