package pb

import (
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field is one field as it stands in the bytes of a message. Its methods store
// its value; where the wire type is another than theirs they do nothing, as with a field that is not known.
type Field struct {
	Number protowire.Number

	kind  protowire.Type
	value uint64 // of numbers
	bytes []byte // of all else
	depth int    // of the message it stands in
	lax   bool   // strings may be any bytes
}

// readFields hands every field in src to m.
func readFields(src []byte, m Message, depth int, lax bool) error {
	if depth > MaxDepth {
		return ErrDepth
	}
	for len(src) > 0 {
		num, kind, n := protowire.ConsumeTag(src)
		if n < 0 || num > protowire.MaxValidNumber {
			return ErrCorrupt
		}
		src = src[n:]
		f := Field{Number: num, kind: kind, depth: depth, lax: lax}
		switch kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(src)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(src)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(src)
			f.value = uint64(v)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(src)
		default: // groups; no message of ours has one
			n = protowire.ConsumeFieldValue(num, kind, src)
		}
		if n < 0 {
			return ErrCorrupt
		}
		src = src[n:]
		if err := m.ReadProto(f); err != nil {
			return err
		}
	}
	return nil
}

// Varint stores a uint32, uint64, int32, int64 or enum.
func Varint[T ~uint32 | ~uint64 | ~int32 | ~int64](f Field, p *T) error {
	if f.kind == protowire.VarintType {
		*p = T(f.value)
	}
	return nil
}

// Zigzag stores a sint64.
func (f Field) Zigzag(p *int64) error {
	if f.kind == protowire.VarintType {
		*p = protowire.DecodeZigZag(f.value)
	}
	return nil
}

// Bool stores a bool.
func (f Field) Bool(p *bool) error {
	if f.kind == protowire.VarintType {
		*p = f.value != 0
	}
	return nil
}

// Fixed32 stores a fixed32.
func (f Field) Fixed32(p *uint32) error {
	if f.kind == protowire.Fixed32Type {
		*p = uint32(f.value)
	}
	return nil
}

// Sfixed64 stores an sfixed64.
func (f Field) Sfixed64(p *int64) error {
	if f.kind == protowire.Fixed64Type {
		*p = int64(f.value)
	}
	return nil
}

// Double stores a double.
func (f Field) Double(p *float64) error {
	if f.kind == protowire.Fixed64Type {
		*p = math.Float64frombits(f.value)
	}
	return nil
}

// String stores a string.
func (f Field) String(p *string) error {
	if f.kind != protowire.BytesType {
		return nil
	}
	if !f.lax && !utf8.Valid(f.bytes) {
		return ErrUTF8
	}
	*p = string(f.bytes)
	return nil
}

// Strings adds an element to a list of strings.
func (f Field) Strings(p *[]string) error {
	if f.kind != protowire.BytesType {
		return nil
	}
	var s string
	if err := f.String(&s); err != nil {
		return err
	}
	*p = append(*p, s)
	return nil
}

// Bytes stores bytes; none are not nil, so that a member of a oneof shows.
func (f Field) Bytes(p *[]byte) error {
	if f.kind == protowire.BytesType {
		*p = append([]byte{}, f.bytes...)
	}
	return nil
}

// BytesList adds an element to a list of bytes.
func (f Field) BytesList(p *[][]byte) error {
	if f.kind == protowire.BytesType {
		*p = append(*p, append([]byte{}, f.bytes...))
	}
	return nil
}

// Uint32s adds to a list of uint32, packed or not.
func (f Field) Uint32s(p *[]uint32) error {
	if f.kind == protowire.VarintType {
		*p = append(*p, uint32(f.value))
	}
	if f.kind != protowire.BytesType {
		return nil
	}
	for src := f.bytes; len(src) > 0; {
		v, n := protowire.ConsumeVarint(src)
		if n < 0 {
			return ErrCorrupt
		}
		*p = append(*p, uint32(v))
		src = src[n:]
	}
	return nil
}

// IsBytes tells whether the field can hold a message, a string or bytes.
func (f Field) IsBytes() bool { return f.kind == protowire.BytesType }

// IsVarint tells whether the field can hold a number of variable length.
func (f Field) IsVarint() bool { return f.kind == protowire.VarintType }

// IsFixed32 tells whether the field can hold a number of four bytes.
func (f Field) IsFixed32() bool { return f.kind == protowire.Fixed32Type }

// IsFixed64 tells whether the field can hold a number of eight bytes.
func (f Field) IsFixed64() bool { return f.kind == protowire.Fixed64Type }

// Merge reads the field into a message; what the field sets twice is merged.
func (f Field) Merge(m Message) error { return readFields(f.bytes, m, f.depth+1, f.lax) }

// ReadMessage stores a message, or merges into the one that stands there.
func ReadMessage[T any, P interface {
	*T
	Message
}](f Field, p *P) error {
	if !f.IsBytes() {
		return nil
	}
	if *p == nil {
		*p = new(T)
	}
	return f.Merge(*p)
}

// ReadMessages adds an element to a list of messages.
func ReadMessages[T any, P interface {
	*T
	Message
}](f Field, p *[]P) error {
	if !f.IsBytes() {
		return nil
	}
	m := P(new(T))
	*p = append(*p, m)
	return f.Merge(m)
}

// Map adds an entry to a map of strings.
func (f Field) Map(p *map[string]string) error {
	if !f.IsBytes() {
		return nil
	}
	var e entry
	if err := f.Merge(&e); err != nil {
		return err
	}
	if *p == nil {
		*p = map[string]string{}
	}
	(*p)[e.key] = e.value
	return nil
}

// entry is how an entry of a map stands in the bytes.
type entry struct{ key, value string }

func (e *entry) ProtoName() string    { return "entry" }
func (e *entry) WriteProto(w *Writer) { w.StringAlways(1, e.key); w.StringAlways(2, e.value) }

func (e *entry) ReadProto(f Field) error {
	switch f.Number {
	case 1:
		return f.String(&e.key)
	case 2:
		return f.String(&e.value)
	}
	return nil
}
