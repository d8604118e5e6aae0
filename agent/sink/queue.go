package sink

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Message is one message for an Outlet. Topic is empty where the outlet has none.
type Message struct {
	Topic   string
	Payload []byte
}

// ErrQueue says that a queued record cannot be read.
var ErrQueue = errors.New("the record of an edge sink's queue is damaged")

const queueFormat = 1

// AppendMessages appends the record that holds the messages.
func AppendMessages(dst []byte, messages []Message) []byte {
	dst = append(dst, queueFormat)
	dst = binary.AppendUvarint(dst, uint64(len(messages)))
	for _, m := range messages {
		dst = binary.AppendUvarint(dst, uint64(len(m.Topic)))
		dst = append(dst, m.Topic...)
		dst = binary.AppendUvarint(dst, uint64(len(m.Payload)))
		dst = append(dst, m.Payload...)
	}
	return dst
}

// ParseMessages reads a record; the payloads point into it.
func ParseMessages(b []byte) ([]Message, error) {
	if len(b) == 0 || b[0] == 0 || b[0] > queueFormat {
		return nil, fmt.Errorf("%w: its format is not known to this build", ErrQueue)
	}
	b = b[1:]
	n, b, ok := uvarint(b)
	if !ok || n > uint64(len(b)) { // a message takes two bytes at least
		return nil, fmt.Errorf("%w: it does not hold the messages that it promises", ErrQueue)
	}
	out := make([]Message, 0, n)
	for range n {
		var topic, payload []byte
		if topic, b, ok = field(b); ok {
			payload, b, ok = field(b)
		}
		if !ok {
			return nil, fmt.Errorf("%w: message %d does not fit", ErrQueue, len(out))
		}
		out = append(out, Message{Topic: string(topic), Payload: payload})
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrQueue, len(b))
	}
	return out, nil
}

func uvarint(b []byte) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, b, false
	}
	return v, b[n:], true
}

func field(b []byte) (f, rest []byte, ok bool) {
	n, b, ok := uvarint(b)
	if !ok || n > uint64(len(b)) {
		return nil, b, false
	}
	return b[:n:n], b[n:], true
}
