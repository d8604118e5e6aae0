package mqtt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// TestKilledBetweenCommitAndAck sends equal messages through mosquitto to an
// agent that dies again and again after a commit, without acknowledging it.
func TestKilledBetweenCommitAndAck(t *testing.T) {
	broker := newMosquitto(t, false)
	store := memStore{}
	a := newAgent(t, Config{Broker: "tcp://" + broker.address, QoS: 1}, store)
	a.waitConnected()
	pub := newPublisher(t, broker.address)
	const messages = 2000
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range messages {
			pub.send("in/a", 1, "the same bytes")
		}
	}()
	rng := mathrand.New(mathrand.NewPCG(1, 1))
	effects, kills, redelivered := 0, 0, uint64(0)
	until(t, "all messages took effect", func() bool {
		effects += len(a.commitOne(1+rng.IntN(10), true))
		if rng.IntN(20) == 0 {
			effects += len(a.commitOne(10, false)) // committed, not acknowledged
			redelivered += a.src.Status().Redelivered
			a.kill()
			kills++
			a = newAgent(t, Config{Broker: "tcp://" + broker.address, QoS: 1}, store)
		}
		return effects >= messages
	})
	<-sent
	pub.send("in/a", 1, "last")
	last := ""
	until(t, "the last message came", func() bool {
		for _, p := range a.commitOne(100, true) {
			if last = p; p != "last" {
				effects++
			}
		}
		return last == "last"
	})
	redelivered += a.src.Status().Redelivered
	if effects != messages || kills < 5 || redelivered == 0 {
		t.Fatalf("%d effects of %d messages, %d kills, %d redeliveries recognised", effects, messages, kills, redelivered)
	}
	t.Logf("%d kills, %d redeliveries recognised", kills, redelivered)
}

// TestConnectionDrops cuts the connection while messages are received, taken, committed and acknowledged.
func TestConnectionDrops(t *testing.T) {
	broker := newMosquitto(t, false)
	p := newProxy(t, broker.address)
	a := newAgent(t, Config{Broker: "tcp://" + p.address, QoS: 1}, memStore{})
	a.waitConnected()
	pub := newPublisher(t, broker.address)
	const messages = 3000
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range messages {
			pub.send("in/a", 1, "the same bytes")
		}
	}()
	rng := mathrand.New(mathrand.NewPCG(2, 2))
	effects, cuts := 0, 0
	until(t, "all messages took effect", func() bool {
		a.src.Take(&a.chunk, 1+rng.IntN(10))
		effects += len(a.chunk.Messages)
		cut := len(a.chunk.Messages) > 0 && rng.IntN(15) == 0
		if cut && rng.IntN(2) == 0 { // before the commit
			p.cut()
			cuts++
			until(t, "the drop is noticed", func() bool { return !a.src.Connected() })
			if rng.IntN(2) == 0 {
				until(t, "connected again", a.src.Connected)
			}
			cut = false
		}
		a.store.commit(a.chunk.Puts)
		if a.chunk.Done != nil {
			a.chunk.Done()
		}
		if cut { // perhaps between the commit and the PUBACK
			p.cut()
			cuts++
		}
		return effects >= messages
	})
	<-sent
	pub.send("in/a", 1, "last")
	last := ""
	until(t, "the last message came", func() bool {
		for _, m := range a.commitOne(100, true) {
			if last = m; m != "last" {
				effects++
			}
		}
		return last == "last"
	})
	st := a.src.Status()
	if effects != messages || cuts < 10 || st.Redelivered == 0 {
		t.Fatalf("%d effects of %d messages, %d cuts, %+v", effects, messages, cuts, st)
	}
	t.Logf("%d cuts, %d redeliveries recognised", cuts, st.Redelivered)
}

// TestBrokerRestartsWithItsState: what was in flight comes again, what was queued comes once.
func TestBrokerRestartsWithItsState(t *testing.T) {
	broker := newMosquitto(t, true)
	a := newAgent(t, Config{Broker: "tcp://" + broker.address, QoS: 1}, memStore{})
	a.waitConnected()
	pub := newPublisher(t, broker.address)
	for i := range 50 {
		pub.send("in/a", 1, fmt.Sprint(i))
	}
	var got []string
	until(t, "some are received", func() bool { return a.src.Status().Received >= 10 })
	a.src.Take(&a.chunk, 10)
	for _, m := range a.chunk.Messages {
		got = append(got, string(m.Payload))
	}
	broker.stop()
	until(t, "the loss is noticed", func() bool { return !a.src.Connected() })
	a.store.commit(a.chunk.Puts)
	a.chunk.Done()
	until(t, "the status says so", func() bool { return strings.Contains(a.src.Status().Detail, "connection refused") })
	broker.start()
	until(t, "all came", func() bool {
		got = append(got, a.commitOne(7, true)...)
		return len(got) >= 50
	})
	for i, g := range got {
		if g != fmt.Sprint(i) {
			t.Fatalf("got %v", got)
		}
	}
	if st := a.src.Status(); st.Redelivered < 10 {
		t.Fatalf("%d redeliveries recognised, want those in flight", st.Redelivered)
	}
}

// TestBrokerForgetsTheSession: packet ids begin anew, and the stored entries must not meet them.
func TestBrokerForgetsTheSession(t *testing.T) {
	broker := newMosquitto(t, false)
	store := memStore{}
	a := newAgent(t, Config{Broker: "tcp://" + broker.address, QoS: 1}, store)
	a.waitConnected()
	pub := newPublisher(t, broker.address)
	for range 15 {
		pub.send("in/a", 1, "the same bytes")
	}
	effects := 0
	until(t, "all came", func() bool { effects += len(a.commitOne(5, true)); return effects == 15 })
	if len(store) < 4 { // more where the messages came slowly
		t.Fatalf("stored: %v, want the topics and 3 chunks of at most 5 messages", store)
	}
	pub.client.Disconnect(100)
	broker.stop()
	until(t, "the loss is noticed", func() bool { return !a.src.Connected() })
	broker.start()
	// Until the agent has committed that it forgets, the source does not subscribe.
	until(t, "the status says so", func() bool { return strings.Contains(a.src.Status().Detail, "has no session") })
	if a.src.Connected() {
		t.Fatal("subscribed before the stored entries are deleted")
	}
	<-a.src.Ready()
	a.commitOne(10, true)
	for k := range store {
		if strings.Contains(k, recordPrefix) {
			t.Fatalf("still stored: %s", k)
		}
	}
	until(t, "connected again", a.src.Connected)
	pub = newPublisher(t, broker.address)
	for range 15 {
		pub.send("in/a", 1, "the same bytes")
	}
	until(t, "they count anew", func() bool { effects += len(a.commitOne(5, true)); return effects == 30 })
	if st := a.src.Status(); st.Redelivered != 0 {
		t.Fatalf("%d redeliveries", st.Redelivered)
	}
}

// TestCleanSession: the broker keeps nothing for a source that is gone.
func TestCleanSession(t *testing.T) {
	broker := newMosquitto(t, false)
	cfg := Config{Broker: "tcp://" + broker.address, QoS: 1, Clean: true}
	a := newAgent(t, cfg, memStore{})
	a.waitConnected()
	pub := newPublisher(t, broker.address)
	pub.send("in/a", 1, "first")
	var got []string
	until(t, "the first came", func() bool { got = append(got, a.commitOne(5, true)...); return len(got) == 1 })
	a.kill()
	pub.send("in/a", 1, "missed")
	a = newAgent(t, cfg, memStore{})
	a.waitConnected()
	pub.send("in/a", 1, "last")
	until(t, "the last came", func() bool { got = append(got, a.commitOne(5, true)...); return got[len(got)-1] == "last" })
	if fmt.Sprint(got) != "[first last]" {
		t.Fatalf("got %q", got)
	}
}

// TestBackPressure never takes: the buffer stays within its bound, and everything comes when it is taken.
func TestBackPressure(t *testing.T) {
	server, address := newMochi(t, listeners.Config{}, nil)
	for name, cfg := range map[string]Config{
		"messages": {BufferMessages: 10},
		"bytes":    {BufferBytes: 1350},
	} {
		cfg.Broker, cfg.QoS, cfg.ClientID = "tcp://"+address, 1, name
		a := newAgent(t, cfg, memStore{})
		a.waitConnected()
		for i := range 300 {
			if err := server.Publish("in/a", []byte(fmt.Sprint(i)), false, 1); err != nil {
				t.Fatal(err)
			}
		}
		until(t, name+": the buffer is full", func() bool {
			a.src.mu.Lock()
			defer a.src.mu.Unlock()
			return len(a.src.queue) == 10
		})
		var got []string
		until(t, name+": all came", func() bool {
			before := a.src.Status().Received
			if over := int(before) - len(got); over > 10 {
				t.Fatalf("%s: %d wait", name, over)
			}
			got = append(got, a.commitOne(3, true)...)
			return len(got) == 300
		})
		for i, g := range got {
			if g != fmt.Sprint(i) {
				t.Fatalf("%s: got %v", name, got)
			}
		}
		a.kill()
	}
}

// TestStopWhileTheBufferIsFull ends Run while the callback waits for room.
func TestStopWhileTheBufferIsFull(t *testing.T) {
	server, address := newMochi(t, listeners.Config{}, nil)
	store := memStore{}
	a := newAgent(t, Config{Broker: "tcp://" + address, QoS: 1, BufferMessages: 1}, store)
	a.waitConnected()
	for i := range 20 {
		if err := server.Publish("in/a", []byte(fmt.Sprint(i)), false, 1); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the buffer is full", func() bool { return a.src.Status().Received == 1 })
	a.kill()
	a = newAgent(t, Config{Broker: "tcp://" + address, QoS: 1}, store)
	got := map[string]int{}
	until(t, "all came", func() bool {
		for _, p := range a.commitOne(100, true) {
			got[p]++
		}
		return len(got) == 20
	})
}

func TestQoS0(t *testing.T) {
	server, address := newMochi(t, listeners.Config{}, nil)
	store := memStore{}
	a := newAgent(t, Config{Broker: "tcp://" + address, Topics: []string{"in/+/x", "other", "other"}}, store)
	a.waitConnected()
	for _, topic := range []string{"in/1/x", "in/1/y", "other"} {
		if err := server.Publish(topic, []byte(topic), false, 1); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "both are received", func() bool { return a.src.Status().Received == 2 })
	a.src.Take(&a.chunk, 10)
	c := a.chunk
	if len(c.Messages) != 2 || c.Messages[0].Topic != "in/1/x" || string(c.Messages[1].Payload) != "other" || c.Messages[0].ReceivedMicros == 0 {
		t.Fatalf("got %+v", c.Messages)
	}
	if !c.Dry || c.End || c.Done != nil || len(c.Puts) != 1 || c.Puts[0].Key != "mqtt/topics" {
		t.Fatalf("got %+v", c)
	}
}

// TestOversizedMessage: it arrives shortened and marked, and its neighbours whole.
func TestOversizedMessage(t *testing.T) {
	server, address := newMochi(t, listeners.Config{}, nil)
	a := newAgent(t, Config{Broker: "tcp://" + address, QoS: 1, MaxMessageBytes: 1000}, memStore{})
	a.waitConnected()
	for _, n := range []int{5, 1001, 1000, 300_000, 7} {
		if err := server.Publish("in/a", []byte(strings.Repeat("x", n)), false, 1); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all are received", func() bool { return a.src.Status().Received == 5 })
	a.src.Take(&a.chunk, 10)
	var got []string
	for _, m := range a.chunk.Messages {
		got = append(got, fmt.Sprint(len(m.Payload), m.Oversized))
	}
	if want := "[5 false 256 true 1000 false 256 true 7 false]"; fmt.Sprint(got) != want {
		t.Fatalf("got %v, want %s", got, want)
	}
}

// TestTopicsChange: the session drops what is not asked for any more.
func TestTopicsChange(t *testing.T) {
	server, address := newMochi(t, listeners.Config{}, nil)
	store := memStore{}
	send := func() {
		for _, topic := range []string{"a", "b", "c"} {
			if err := server.Publish(topic, []byte(topic), false, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	collect := func(a *agent, n int) (got []string) {
		until(t, "messages come", func() bool { got = append(got, a.commitOne(10, true)...); return len(got) >= n })
		return got
	}
	a := newAgent(t, Config{Broker: "tcp://" + address, QoS: 1, Topics: []string{"a", "b"}}, store)
	a.waitConnected()
	send()
	first := collect(a, 2)
	until(t, "both are acknowledged", func() bool {
		cl, _ := server.Clients.Get("agent")
		return cl.State.Inflight.Len() == 0
	})
	a.kill()
	a = newAgent(t, Config{Broker: "tcp://" + address, QoS: 1, Topics: []string{"b", "c"}}, store)
	a.waitConnected()
	send()
	second := collect(a, 2)
	if fmt.Sprint(first, second) != "[a b] [b c]" {
		t.Fatalf("got %v, then %v", first, second)
	}
}

func TestFailuresAreExplained(t *testing.T) {
	_, address := newMochi(t, listeners.Config{}, &auth.Hook{}) // nobody is allowed
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close() //nolint:errcheck // a test's listener
	dead := freeAddress(t)
	ca, server := certificates(t)
	_, secure := newMochi(t, listeners.Config{TLSConfig: server}, nil)
	for _, c := range []struct {
		cfg  Config
		want []string
	}{
		{Config{Broker: "tcp://" + dead}, []string{"mqtt broker tcp://" + dead, "connection refused", "start the broker or correct source.mqtt.broker", "next try in"}},
		{Config{Broker: "tcp://" + address, Username: "u", Password: "p"}, []string{`user "u"`, "is not authorised", "correct source.mqtt.username"}},
		{Config{Broker: "tcp://" + mute.Addr().String(), ConnectTimeout: 50 * time.Millisecond}, []string{"no answer from", "firewall"}},
		{Config{Broker: "ssl://" + secure}, []string{"unknown authority", "source.mqtt.ca_file"}},
		{Config{Broker: "ssl://" + secure, CAFile: "/none.pem"}, []string{"ca_file", "/none.pem", "correct the path"}},
		{Config{Broker: "tcp://" + secure}, []string{"closed the connection", "ssl://"}},
		{Config{Broker: "ssl://" + strings.Replace(secure, "127.0.0.1", "127.0.0.2", 1), CAFile: ca}, []string{"127.0.0.2", "correct source.mqtt.broker"}},
	} {
		a := newAgent(t, c.cfg, memStore{})
		d := ""
		defer func() {
			if t.Failed() {
				t.Logf("the newest status: %s", d)
			}
		}()
		until(t, strings.Join(c.want, ", "), func() bool {
			d = a.src.Status().Detail
			for _, w := range c.want {
				if !strings.Contains(d, w) {
					return false
				}
			}
			return !strings.Contains(d, "\n") && a.src.Status().LastError != ""
		})
		a.kill()
	}
	a := newAgent(t, Config{Broker: "ssl://" + secure, CAFile: ca}, memStore{})
	a.waitConnected()
}

// certificates makes an authority and a server certificate for 127.0.0.1.
func certificates(t *testing.T) (caFile string, server *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return caFile, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Broker: "tcp://h", Topics: []string{"a/+/#"}, ClientID: "c"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"expected tcp://host:port": func(c *Config) { c.Broker = "localhost" },
		"scheme \"ws\"":            func(c *Config) { c.Broker = "ws://h" },
		"no topic":                 func(c *Config) { c.Topics = nil },
		"whole levels":             func(c *Config) { c.Topics = []string{"a/b+"} },
		"only for the last":        func(c *Config) { c.Topics = []string{"#/a"} },
		"is empty":                 func(c *Config) { c.Topics = []string{""} },
		"qos is 2":                 func(c *Config) { c.QoS = 2 },
		"no client id":             func(c *Config) { c.ClientID = "" },
		"belong together":          func(c *Config) { c.CertFile = "x" },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestConfirmedEntriesAreForgotten: what is stored stays small, however much flows.
func TestConfirmedEntriesAreForgotten(t *testing.T) {
	server, address := newMochi(t, listeners.Config{}, nil)
	store := memStore{}
	a := newAgent(t, Config{Broker: "tcp://" + address, QoS: 1}, store)
	a.waitConnected()
	const messages = 5 * confirmEvery
	got, largest := 0, 0
	for i := range messages {
		if err := server.Publish("in/a", []byte("the same bytes"), false, 1); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			until(t, "they come", func() bool { got += len(a.commitOne(10, true)); return got == i+1 })
		}
		largest = max(largest, len(store))
	}
	held := func() int {
		a.src.mu.Lock()
		defer a.src.mu.Unlock()
		return len(a.src.session.entries)
	}
	until(t, "most are forgotten", func() bool { return held() < confirmEvery })
	if largest > 3*confirmEvery || a.src.Status().Redelivered != 0 {
		t.Fatalf("%d stored entries, %+v", largest, a.src.Status())
	}
}
