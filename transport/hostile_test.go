package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

// impatient makes a server that ends slow messages soon.
func impatient(c *ServerConfig) {
	c.MessageGrace, c.MinRate, c.MaxStreams = 300*time.Millisecond, 1<<20, 8
}

// rawConn connects as an agent that keeps no rules. It sends something once a second,
// so that a close whose only packet was lost is said again.
func rawConn(t *testing.T, n *node, id *identity.Agent) *quic.Conn {
	t.Helper()
	var verified error
	pc, err := listenAny()
	if err != nil {
		t.Fatal(err)
	}
	tr := &quic.Transport{Conn: pc}
	conn, err := tr.Dial(t.Context(), n.srv.Addr(), clientTLS(id, time.Now, &verified), clientQUIC(5*time.Second, 30*time.Second, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.CloseWithError(0, "")
		_ = tr.Close()
		_ = pc.Close()
	})
	return conn
}

func rawStream(t *testing.T, conn *quic.Conn, data []byte) *quic.Stream {
	t.Helper()
	st, err := conn.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write(data); err != nil {
		t.Fatal(err)
	}
	return st
}

func message(t testing.TB, m pb.Message) []byte {
	t.Helper()
	b, err := wire.AppendMessage(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hello(t *testing.T) []byte {
	return message(t, &wire.StreamStart{Kind: &wire.StreamStart_Hello{Hello: &wire.Hello{Protocol: wire.Protocol}}})
}

func openClimate(t *testing.T) []byte {
	return message(t, &wire.StreamStart{Kind: &wire.StreamStart_Data{Data: &wire.StreamOpen{
		PipelineId: climateKey.Pipeline, Version: climateKey.Version, Epoch: climateKey.Epoch, First: 1, Next: 2}}})
}

// closedWith waits for the end of a connection and gives its code.
func closedWith(t *testing.T, conn *quic.Conn) wire.Code {
	t.Helper()
	select {
	case <-conn.Context().Done():
	case <-time.After(patience):
		t.Fatal("the node does not end the connection")
	}
	var ae *quic.ApplicationError
	if !errors.As(context.Cause(conn.Context()), &ae) || !ae.Remote {
		t.Fatalf("the connection ended with %v", context.Cause(conn.Context()))
	}
	return wire.Code(ae.ErrorCode)
}

func TestHostileFirstMessages(t *testing.T) {
	n := newNode(t, impatient)
	huge := binary.AppendUvarint(nil, 4<<30)
	for _, tc := range []struct {
		name string
		data []byte
		want wire.Code
	}{
		{"nothing", nil, wire.CodeTooSlow},
		{"4 GB length prefix", huge, wire.CodeTooLarge},
		{"half a length prefix", huge[:2], wire.CodeTooSlow},
		{"length prefix without end", []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, wire.CodeBadMessage},
		{"half a message", hello(t)[:2], wire.CodeTooSlow},
		{"no protobuf", []byte{4, 255, 255, 255, 255}, wire.CodeBadMessage},
		{"no Hello", message(t, &wire.StreamStart{}), wire.CodeBadMessage},
		{"another protocol", message(t, &wire.StreamStart{Kind: &wire.StreamStart_Hello{Hello: &wire.Hello{Protocol: 99}}}), wire.CodeProtocol},
		{"a join", message(t, &wire.StreamStart{Kind: &wire.StreamStart_Join{Join: &wire.JoinRequest{}}}), wire.CodeBadMessage},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := rawConn(t, n, n.agent("gw"))
			if tc.data != nil {
				rawStream(t, conn, tc.data)
			}
			if got := closedWith(t, conn); got != tc.want {
				t.Errorf("ended with %s, not %s", got, tc.want)
			}
		})
	}
	if len(n.sessions) > 0 {
		t.Error("a session began")
	}
}

// A session whose data stream misbehaves loses the stream with a reason and goes on.
func TestHostileFrames(t *testing.T) {
	n := newNode(t, impatient)
	conn := rawConn(t, n, n.agent("gw"))
	rawStream(t, conn, hello(t))
	header := wire.Header{Pipeline: climateKey.Pipeline, Version: climateKey.Version, Epoch: climateKey.Epoch, From: 1, To: 1}
	good := wire.AppendFrame(nil, header, []byte("payload"))
	foreign := header
	foreign.Pipeline = "another"
	gap := header
	gap.From, gap.To, gap.Previous = 3, 3, wire.Checksum(good)
	fork := header
	fork.From, fork.To, fork.Previous = 2, 2, 12345
	for _, tc := range []struct {
		name string
		data []byte
		want wire.Code
	}{
		{"no frame", []byte("GET / HTTP/1.1\r\n"), wire.CodeBadMessage},
		{"4 GB payload", hugeFrame(header), wire.CodeTooLarge},
		{"half a header", good[:10], wire.CodeTooSlow},
		{"half a payload", good[:len(good)-3], wire.CodeTooSlow},
		{"bad header checksum", flip(good, 8), wire.CodeBadMessage},
		{"another pipeline", wire.AppendFrame(nil, foreign, nil), wire.CodeBadMessage},
		{"a gap", append(good[:len(good):len(good)], wire.AppendFrame(nil, gap, nil)...), wire.CodeDiverged},
		{"a fork", append(good[:len(good):len(good)], wire.AppendFrame(nil, fork, nil)...), wire.CodeDiverged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n.mu.Lock()
			n.lanes = map[StreamKey]*lane{}
			n.mu.Unlock()
			sio := newStreamIO(rawStream(t, conn, append(openClimate(t), tc.data...)), clientPace)
			var reply wire.StreamReply
			if err := sio.message(&reply, 1<<20, true); err != nil || reply.GetAccepted() == nil {
				t.Fatalf("not accepted: %v, %v", &reply, err)
			}
			for {
				var down wire.StreamDown
				if err := sio.message(&down, 1<<20, true); err != nil {
					t.Fatalf("the stream ended without a reason: %v", err)
				}
				if r := down.GetRefused(); r != nil {
					if wire.Code(r.Code) != tc.want {
						t.Errorf("refused with %s (%s), not %s", wire.Code(r.Code), r.Reason, tc.want)
					}
					break
				}
			}
			sio.finish()
		})
	}
	if conn.Context().Err() != nil {
		t.Error("the session has ended")
	}
}

func flip(p []byte, at int) []byte {
	q := append([]byte(nil), p...)
	q[at] ^= 1
	return q
}

// hugeFrame is a header with right checksums that promises 4 GB.
func hugeFrame(h wire.Header) []byte {
	f := wire.AppendFrame(nil, h, nil)
	f = binary.AppendUvarint(f[:len(f)-13], math.MaxUint32) // the payload's length stands before 12 bytes of checksums
	f = append(f, make([]byte, 8)...)
	binary.LittleEndian.PutUint16(f[4:], uint16(len(f)+4))
	return binary.LittleEndian.AppendUint32(f, crc32.Checksum(f, crc32.MakeTable(crc32.Castagnoli)))
}

// A byte a second keeps a stream open no longer than its pace allows.
func TestSlowStreamsTimeOut(t *testing.T) {
	n := newNode(t, impatient)
	conn := rawConn(t, n, n.agent("gw"))
	st := rawStream(t, conn, nil)
	slow := hello(t)
	go func() {
		for i := range slow {
			if _, err := st.Write(slow[i : i+1]); err != nil {
				return
			}
			select {
			case <-conn.Context().Done():
				return
			case <-time.After(time.Second):
			}
		}
	}()
	began := time.Now()
	if got := closedWith(t, conn); got != wire.CodeTooSlow {
		t.Errorf("ended with %s", got)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("a slow stream was held for %s", d)
	}
}

// Thousands of streams: no more than MaxStreams at once, and other agents do not notice.
func TestManyStreamsAreRefused(t *testing.T) {
	n := newNode(t, func(c *ServerConfig) { c.MaxStreams = 8 })
	conn := rawConn(t, n, n.agent("hostile"))
	rawStream(t, conn, hello(t))
	opened := 0
	for range 5000 {
		st, err := conn.OpenStream()
		if err != nil {
			var limit *quic.StreamLimitReachedError
			if !errors.As(err, &limit) {
				t.Fatal(err)
			}
			continue
		}
		opened++
		if _, err := st.Write([]byte{100}); err != nil { // promises a message and sends none of it
			t.Fatal(err)
		}
	}
	if opened != 7 {
		t.Errorf("%d streams were open at once beside the control stream, 7 are allowed", opened)
	}
	if _, err := conn.OpenUniStream(); err == nil {
		t.Error("a unidirectional stream was allowed")
	}
	a := startAgent(t, n.agent("good"), nil)
	src := newSource(climateKey)
	src.add(payloads(10, 100)...)
	defer a.Feed(climateKey, src)()
	await(t, "another agent's frames", func() bool { return src.First() == 11 })
}

// Streams that are opened and reset at once get no further than their handlers.
func TestRapidReset(t *testing.T) {
	n := newNode(t, func(c *ServerConfig) { c.MaxStreams = 8 })
	conn := rawConn(t, n, n.agent("hostile"))
	rawStream(t, conn, hello(t))
	before := runtime.NumGoroutine()
	open := openClimate(t)
	most := 0
	for range 2000 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		st, err := conn.OpenStreamSync(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Write(open); err != nil {
			t.Fatal(err)
		}
		st.CancelWrite(0)
		st.CancelRead(0)
		most = max(most, runtime.NumGoroutine()-before)
	}
	if most > 100 {
		t.Errorf("%d goroutines ran for 8 streams", most)
	}
}

func TestTooManySessions(t *testing.T) {
	n := newNode(t, func(c *ServerConfig) { c.MaxSessions = 2 })
	a, b := rawConn(t, n, n.agent("a")), rawConn(t, n, n.agent("b"))
	rawStream(t, a, hello(t))
	rawStream(t, b, hello(t))
	await(t, "two sessions", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.sessions) == 2 })
	if got := closedWith(t, rawConn(t, n, n.agent("c"))); got != wire.CodeBusy {
		t.Errorf("the third session ended with %s", got)
	}
	if _, refused := n.srv.Sessions(); refused != 1 {
		t.Errorf("%d sessions counted as refused", refused)
	}
}

// A flood of handshakes makes the node validate addresses first; agents still get in.
func TestHandshakeFloodNeedsValidAddresses(t *testing.T) {
	n := newNode(t, func(c *ServerConfig) { c.HandshakeRate = 1 })
	for _, name := range []string{"a", "b", "c"} { // all but the first come by way of a Retry
		a := startAgent(t, n.agent(name), nil)
		await(t, "a session", func() bool { return a.Link().Connected })
	}
}

// No ticket lets a session begin without the certificate being shown and judged.
func TestNoSessionTickets(t *testing.T) {
	n := newNode(t, nil)
	id := n.agent("gw")
	var verified error
	conf := clientTLS(id, time.Now, &verified)
	cache := &ticketCache{}
	conf.ClientSessionCache = cache
	conn, err := quic.DialAddr(t.Context(), n.addr(), conf, clientQUIC(5*time.Second, 30*time.Second, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	rawStream(t, conn, hello(t))
	await(t, "a session", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.sessions) == 1 })
	_ = conn.CloseWithError(0, "")
	if cache.puts.Load() != 0 {
		t.Error("the node gave a session ticket")
	}
}
