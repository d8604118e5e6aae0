package mqtt

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/leatio/leat/agent/source"
)

// fakeConn reads from memory.
type fakeConn struct {
	net.Conn
	in io.Reader
}

func (f fakeConn) Read(p []byte) (int, error) { return f.in.Read(p) }

func publishPacket(qos byte, topic string, payload []byte) []byte {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.Qos, p.TopicName, p.Payload, p.MessageID = qos, topic, payload, 9
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestTapRefusesWhatASubscriberIsNeverSent(t *testing.T) {
	for name, in := range map[string][]byte{
		"a huge CONNACK":           {0x20, 0xff, 0xff, 0xff, 0x7f},
		"a SUBACK for more":        {0x90, 4, 0, 1, 0, 0},
		"QoS 2":                    publishPacket(2, "a", nil),
		"a PUBREL":                 {0x62, 2, 0, 1},
		"a length of five bytes":   {0x30, 0x80, 0x80, 0x80, 0x80, 1},
		"a topic beyond the end":   {0x30, 4, 0, 9, 'a', 'b', 0, 0},
		"a message of one byte":    {0x30, 1, 0},
		"type 0":                   {0x00, 0},
		"a CONNECT from the other": {0x10, 0},
	} {
		p := make([]byte, 100)
		n, err := newTap(fakeConn{in: bytes.NewReader(in)}, 100, 1).Read(p)
		if n != 0 || err == nil {
			t.Errorf("%s: read %x, %v", name, p[:n], err)
		}
	}
}

// FuzzTap feeds bytes from a hostile broker through the tap to paho's parser: no panic, and no packet above the bound.
func FuzzTap(f *testing.F) {
	f.Add(append(publishPacket(1, "topic", bytes.Repeat([]byte("x"), 2000)), publishPacket(0, "t", nil)...), uint16(1000))
	f.Add([]byte{0x20, 2, 0, 0, 0x90, 3, 0, 1, 1, 0xd0, 0, 0xb0, 2, 0, 2}, uint16(10))
	f.Fuzz(func(t *testing.T, in []byte, limit uint16) {
		tap := newTap(fakeConn{in: bytes.NewReader(in)}, int(limit), 1)
		for n := uint64(1); ; {
			packet, err := packets.ReadPacket(tap)
			if err != nil {
				return
			}
			p, ok := packet.(*packets.PublishPacket)
			if !ok {
				continue
			}
			short := tap.shortened(n)
			n++
			if bound := max(int(limit), source.OversizedSample); len(p.Payload) > bound || short && len(p.Payload) > source.OversizedSample {
				t.Fatalf("a payload of %d bytes, limit %d, shortened %v", len(p.Payload), limit, short)
			}
		}
	})
}
