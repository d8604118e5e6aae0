package mqtt

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/leatio/leat/agent/broker"
	"github.com/leatio/leat/agent/sink"
)

func startBroker(t *testing.T, address string) *mochi.Server {
	t.Helper()
	server := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(new(auth.AllowHook), nil); err != nil {
		t.Fatal(err)
	}
	if err := server.AddListener(listeners.NewTCP(listeners.Config{ID: "tcp", Address: address})); err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(); err != nil {
		t.Fatal(err)
	}
	return server
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

// listen gathers what is published below alarms/.
func listen(t *testing.T, address string) (got func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + address).SetClientID("listener"))
	if token := client.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	token := client.Subscribe("alarms/#", 1, func(_ paho.Client, m paho.Message) {
		mu.Lock()
		all = append(all, fmt.Sprintf("%s %s retained=%v", m.Topic(), m.Payload(), m.Retained()))
		mu.Unlock()
	})
	if token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { client.Disconnect(100) })
	return func() []string { mu.Lock(); defer mu.Unlock(); return append([]string(nil), all...) }
}

func messages(n int) []sink.Message {
	var m []sink.Message
	for i := range n {
		m = append(m, sink.Message{Topic: fmt.Sprintf("alarms/d%d", i), Payload: fmt.Appendf(nil, `{"n":%d}`, i)})
	}
	return m
}

func TestPublishesAndConnectsAnew(t *testing.T) {
	address := freeAddress(t)
	server := startBroker(t, address)
	got := listen(t, address)
	o, err := New(Config{Broker: broker.Config{URL: "tcp://" + address, ClientID: "sink"}, QoS: 1, Retain: true})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close() //nolint:errcheck // closed below
	if _, err := o.Deliver(t.Context(), messages(100)); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for len(got()) < 100 {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages came, want 100", len(got()))
		}
		time.Sleep(2 * time.Millisecond) // between two looks
	}
	if m := got()[7]; m != `alarms/d7 {"n":7} retained=false` {
		t.Errorf("message 7 is %s", m)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Deliver(t.Context(), messages(1)); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("without a broker: %v", err)
	}
	server = startBroker(t, address)
	defer server.Close() //nolint:errcheck // the test has ended
	if _, err := o.Deliver(t.Context(), messages(3)); err != nil {
		t.Errorf("with a broker again: %v", err)
	}
	late := listen(t, address) // the broker kept them
	for len(late()) < 3 {
		if time.Now().After(deadline) {
			t.Fatalf("%d retained messages came, want 3", len(late()))
		}
		time.Sleep(2 * time.Millisecond) // between two looks
	}
	if m := late()[0]; !strings.HasSuffix(m, "retained=true") {
		t.Errorf("%s", m)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

func TestWrongConfigurations(t *testing.T) {
	for want, c := range map[string]Config{
		"qos is 2":     {Broker: broker.Config{URL: "tcp://h", ClientID: "c"}, QoS: 2},
		"client id":    {Broker: broker.Config{URL: "tcp://h"}},
		"ftp":          {Broker: broker.Config{URL: "ftp://h", ClientID: "c"}},
		"tcp://host":   {Broker: broker.Config{URL: "h", ClientID: "c"}},
		"cert_file an": {Broker: broker.Config{URL: "tcp://h", ClientID: "c", KeyFile: "k"}},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v gives %v, want %s", c, err, want)
		}
	}
}
