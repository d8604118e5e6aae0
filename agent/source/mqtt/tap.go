package mqtt

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/leatio/leat/agent/source"
)

// Types of control packets, as the upper half of their first byte.
const (
	typeConnack  = 2
	typePublish  = 3
	typeSuback   = 9
	typeUnsuback = 11
	typePingresp = 13
)

// writeTimeout bounds a write to a broker that does not read.
const writeTimeout = 20 * time.Second

// tap is the connection that paho reads from and writes to. It follows the
// packets that come in, see the package comment.
type tap struct {
	net.Conn
	in    *bufio.Reader
	limit int // bytes of a payload
	subs  int // filters of the one subscription

	// Owned by the reader.
	head    []byte // to be read by paho before anything else
	pass    int    // bytes of the packet to pass on
	skip    int    // bytes of the packet to read over
	count   uint64 // PUBLISH packets
	scratch []byte

	mu        sync.Mutex
	oversized []uint64 // numbers of the PUBLISH packets that were shortened, until paho delivers them
}

func newTap(conn net.Conn, limit, subs int) *tap {
	return &tap{Conn: conn, in: bufio.NewReaderSize(conn, 16<<10), limit: limit, subs: subs}
}

// Write implements net.Conn.
func (t *tap) Write(p []byte) (int, error) {
	if err := t.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return t.Conn.Write(p)
}

// Read implements net.Conn.
func (t *tap) Read(p []byte) (int, error) {
	for {
		switch {
		case len(p) == 0:
			return 0, nil
		case len(t.head) > 0:
			n := copy(p, t.head)
			t.head = t.head[n:]
			return n, nil
		case t.pass > 0:
			n, err := t.in.Read(p[:min(len(p), t.pass)])
			t.pass -= n
			return n, err
		case t.skip > 0:
			n, err := t.in.Discard(min(t.skip, 1<<20))
			t.skip -= n
			if err != nil {
				return 0, err
			}
		default:
			if err := t.packet(); err != nil {
				return 0, err
			}
		}
	}
}

// packet reads a fixed header and decides what to do with the packet.
func (t *tap) packet() error {
	first, err := t.in.ReadByte()
	if err != nil {
		return err
	}
	length, err := t.remainingLength()
	if err != nil {
		return err
	}
	kind := first >> 4
	want := -1
	switch kind {
	case typeConnack, typeUnsuback:
		want = 2
	case typeSuback:
		want = 2 + t.subs
	case typePingresp:
		want = 0
	case typePublish:
		return t.publish(first, length)
	}
	if length != want {
		return fmt.Errorf("%w: packet type %d of %d bytes", errProtocol, kind, length)
	}
	t.begin(first, length)
	t.pass = length
	return nil
}

// begin makes the fixed header of a packet for paho.
func (t *tap) begin(first byte, length int) {
	t.scratch = binary.AppendUvarint(append(t.scratch[:0], first), uint64(length))
	t.head = t.scratch
}

func (t *tap) remainingLength() (int, error) {
	length := 0
	for shift := 0; shift < 28; shift += 7 {
		b, err := t.in.ReadByte()
		if err != nil {
			return 0, err
		}
		length |= int(b&0x7F) << shift
		if b < 0x80 {
			return length, nil
		}
	}
	return 0, fmt.Errorf("%w: packet length of more than four bytes", errProtocol)
}

// publish passes a PUBLISH on, or its beginning when it is too long.
func (t *tap) publish(first byte, length int) error {
	qos := first >> 1 & 3
	if qos > 1 {
		return fmt.Errorf("%w: a message of QoS %d", errProtocol, qos)
	}
	t.count++
	if length < 2 {
		return fmt.Errorf("%w: a message without a topic", errProtocol)
	}
	names, err := t.in.Peek(2)
	if err != nil {
		return err
	}
	rest := length - 2 - int(binary.BigEndian.Uint16(names)) - 2*int(qos) // the payload
	if rest < 0 {
		return fmt.Errorf("%w: a message with a topic that exceeds it", errProtocol)
	}
	t.pass = length
	if rest > t.limit {
		t.skip = rest - min(rest, source.OversizedSample)
		t.pass -= t.skip
		t.mu.Lock()
		t.oversized = append(t.oversized, t.count)
		t.mu.Unlock()
	}
	t.begin(first, t.pass)
	return nil
}

// shortened tells whether the n-th PUBLISH was. It is asked for each once, in order.
func (t *tap) shortened(n uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.oversized) == 0 || t.oversized[0] != n {
		return false
	}
	t.oversized = t.oversized[1:]
	return true
}
