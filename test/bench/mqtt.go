package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/leatio/leat/agent/source/sim"
)

const (
	mqttTick    = 5 * time.Millisecond
	mqttPerTick = 25 // 5,000 messages a second
	mqttFilter  = "greenhouse/+/climate"
)

// messages sends readings through mosquitto at a steady rate to an agent and,
// side by side, to a bare subscriber, and compares their CPU time per message.
func (b *bench) messages() error {
	if b.mqtt <= 0 {
		return nil
	}
	for qos := range 2 {
		if err := b.messagesAt(qos); err != nil {
			return fmt.Errorf("QoS %d: %w", qos, err)
		}
	}
	return nil
}

func (b *bench) messagesAt(qos int) error {
	ctx, cancel := context.WithTimeout(b.ctx, b.mqtt+2*time.Minute)
	defer cancel()
	name := fmt.Sprintf("mqtt-%d", qos)
	broker, addr, err := b.startMosquitto(name)
	if err != nil {
		return err
	}
	defer broker.stop()
	s, err := b.newSite(ctx, name)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.apply(ctx, addr, qos); err != nil {
		return err
	}
	bare, err := b.startSubscriber(ctx, name, addr, qos)
	if err != nil {
		return err
	}
	defer bare.stop()

	// A second to warm up, then the time that counts.
	first := uint64(time.Second / mqttTick * mqttPerTick)
	if _, err := publish(ctx, addr, qos, int(first), mqttTick, mqttPerTick); err != nil {
		return err
	}
	if err := errors.Join(s.received(ctx, first), bare.received(ctx, first)); err != nil {
		return err
	}
	agent0, err1 := s.agent.cpu()
	bare0, err2 := bare.cpu()
	n := int(b.mqtt / mqttTick * mqttPerTick)
	took, err3 := publish(ctx, addr, qos, n, mqttTick, mqttPerTick)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if err := errors.Join(s.received(ctx, first+uint64(n)), bare.received(ctx, first+uint64(n))); err != nil {
		return fmt.Errorf("not every message arrived, so the machine is too busy for this rate: %w", err)
	}
	agent1, err1 := s.agent.cpu()
	bare1, err2 := bare.cpu()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	perMessage := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(n) }
	what := fmt.Sprintf("MQTT, QoS %d, %s messages/s", qos, number(float64(n)/took.Seconds()))
	b.report.add(what+", agent: CPU", "us/message", perMessage(agent1-agent0))
	b.report.add(what+", bare subscriber: CPU", "us/message", perMessage(bare1-bare0))
	return nil
}

var errNoMosquitto = errors.New("mosquitto is not installed: `apt-get install mosquitto`, `make deps`, or leave this part out with -mqtt 0")

func findMosquitto() (string, error) {
	for _, path := range []string{"mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", errNoMosquitto
}

// startMosquitto starts a broker with its default limits.
func (b *bench) startMosquitto(name string) (*daemon, string, error) {
	bin, err := findMosquitto()
	if err != nil {
		return nil, "", err
	}
	addr, _, err := freePorts()
	if err != nil {
		return nil, "", err
	}
	host, port, _ := strings.Cut(addr, ":")
	conf := filepath.Join(b.dir, name+".conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "listener %s %s\nallow_anonymous true\n", port, host), 0o644); err != nil {
		return nil, "", err
	}
	d, err := b.startFile("mosquitto", bin, "-c", conf)
	return d, "tcp://" + addr, err
}

// subscriber is a process that only subscribes.
type subscriber struct {
	*daemon
	counter string // file
}

func (b *bench) startSubscriber(ctx context.Context, name, addr string, qos int) (*subscriber, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &subscriber{counter: filepath.Join(b.dir, name+".count")}
	if s.daemon, err = b.startFile("subscriber", self, "subscribe", addr, strconv.Itoa(qos), s.counter); err != nil {
		return nil, err
	}
	return s, s.received(ctx, 0)
}

// received waits until the subscriber has got so many messages; 0 = has subscribed.
func (s *subscriber) received(ctx context.Context, n uint64) error {
	return s.until(ctx, fmt.Sprintf("the subscriber has %d messages", n), func() bool {
		text, err := os.ReadFile(s.counter)
		if err != nil {
			return false
		}
		have, err := strconv.ParseUint(string(text), 10, 64)
		return err == nil && have >= n
	})
}

// subscribe is the bare subscriber: it counts messages into a file twice a
// second, until SIGTERM.
func subscribe(ctx context.Context, broker, qos, counter string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	level, err := strconv.Atoi(qos)
	if err != nil {
		return err
	}
	var n atomic.Uint64
	client := paho.NewClient(paho.NewClientOptions().AddBroker(broker).SetClientID("bench-bare").SetOrderMatters(true).SetConnectRetry(true))
	if t := client.Connect(); t.Wait() && t.Error() != nil {
		return t.Error()
	}
	defer client.Disconnect(100)
	if t := client.Subscribe(mqttFilter, byte(level), func(paho.Client, paho.Message) { n.Add(1) }); t.Wait() && t.Error() != nil {
		return t.Error()
	}
	for tick := time.NewTicker(500 * time.Millisecond); ; {
		if err := os.WriteFile(counter+".new", strconv.AppendUint(nil, n.Load(), 10), 0o644); err != nil {
			return err
		}
		if err := os.Rename(counter+".new", counter); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// publish sends readings of the climate workload, stamped with the present
// time, some at each tick, whatever the broker does. It returns how long that took.
func publish(ctx context.Context, broker string, qos, n int, every time.Duration, perTick int) (time.Duration, error) {
	client := paho.NewClient(paho.NewClientOptions().AddBroker(broker).SetClientID("bench-publisher").SetConnectRetry(true))
	if t := client.Connect(); t.Wait() && t.Error() != nil {
		return 0, t.Error()
	}
	defer client.Disconnect(100)
	gen := sim.NewClimate(2, sim.DefaultDevices)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	began := time.Now()
	var last paho.Token
	for sent := 0; sent < n; {
		due := min(n, int(time.Since(began)/every+1)*perTick) // also what a late tick left
		for ; sent < due; sent++ {
			row := gen.Next()
			row.Millis = time.Now().UnixMilli()
			last = client.Publish(fmt.Sprintf("greenhouse/%d/climate", row.Device%4), byte(qos), false, row.AppendJSON(nil))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	took := time.Since(began)
	select {
	case <-last.Done():
		return took, last.Error()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
