package pb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// MaxDepth bounds how deep messages may stand within one another.
const MaxDepth = 1000

// Errors of this package.
var (
	ErrCorrupt = errors.New("not a protobuf message")
	ErrUTF8    = errors.New("a string is not UTF-8")
	ErrDepth   = fmt.Errorf("messages stand more than %d deep within one another", MaxDepth)
)

// Message is a pointer to a generated struct.
type Message interface {
	// ProtoName is the name in the .proto file, without its package.
	ProtoName() string
	// WriteProto writes the fields that are set.
	WriteProto(w *Writer)
	// ReadProto takes one field in; one that it does not know is passed over.
	ReadProto(f Field) error
}

// Append appends the bytes of a message.
func Append(dst []byte, m Message) ([]byte, error) {
	w := Writer{buf: dst}
	m.WriteProto(&w)
	if w.err != nil {
		return dst, fmt.Errorf("%s: %w", m.ProtoName(), w.err)
	}
	return w.buf, nil
}

// AppendDelimited appends the length of a message as a uvarint, then the message.
func AppendDelimited(dst []byte, m Message) ([]byte, error) {
	w := Writer{buf: dst}
	w.delimited(m)
	if w.err != nil {
		return dst, fmt.Errorf("%s: %w", m.ProtoName(), w.err)
	}
	return w.buf, nil
}

// Unmarshal reads a message into m, which must be empty: fields of m that
// the bytes do not set stay as they are. Nothing in m refers to src afterwards.
func Unmarshal(src []byte, m Message) error {
	if err := readFields(src, m, 0, false); err != nil {
		return fmt.Errorf("%s: %w", m.ProtoName(), err)
	}
	return nil
}

// Equal tells whether two messages have the same bytes. A nil message equals an empty one.
func Equal(a, b Message) bool {
	wa, wb := Writer{lax: true}, Writer{lax: true}
	a.WriteProto(&wa)
	b.WriteProto(&wb)
	return bytes.Equal(wa.buf, wb.buf)
}

// Clone returns a deep copy. Messages must not stand deeper than MaxDepth in it.
func Clone[T any, P interface {
	*T
	Message
}](m P) P {
	w := Writer{lax: true}
	m.WriteProto(&w)
	out := P(new(T))
	if err := readFields(w.buf, out, 0, true); err != nil {
		panic("BUG: copy of " + m.ProtoName() + ": " + err.Error())
	}
	return out
}

// insertLength puts the length of what stands in buf from start on before it.
func insertLength(buf []byte, start int) []byte {
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(len(buf)-start))
	return slices.Insert(buf, start, head[:n]...)
}
