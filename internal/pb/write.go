package pb

import (
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Writer encodes the fields of messages. Methods without Always leave zero values out;
// those with it write members of a oneof and elements of lists.
type Writer struct {
	buf []byte
	err error // the first
	lax bool  // strings may be any bytes: the message stays in this process
}

// Uint writes a bool, a uint32, a uint64, or an int32, int64 or enum as uint64.
func (w *Writer) Uint(num protowire.Number, v uint64) {
	if v != 0 {
		w.UintAlways(num, v)
	}
}

// UintAlways is Uint for every value.
func (w *Writer) UintAlways(num protowire.Number, v uint64) {
	w.buf = protowire.AppendVarint(protowire.AppendTag(w.buf, num, protowire.VarintType), v)
}

// Fixed32 writes a fixed32 or sfixed32.
func (w *Writer) Fixed32(num protowire.Number, v uint32) {
	if v != 0 {
		w.Fixed32Always(num, v)
	}
}

// Fixed32Always is Fixed32 for every value.
func (w *Writer) Fixed32Always(num protowire.Number, v uint32) {
	w.buf = protowire.AppendFixed32(protowire.AppendTag(w.buf, num, protowire.Fixed32Type), v)
}

// Fixed64 writes a fixed64 or sfixed64.
func (w *Writer) Fixed64(num protowire.Number, v uint64) {
	if v != 0 {
		w.Fixed64Always(num, v)
	}
}

// Fixed64Always is Fixed64 for every value.
func (w *Writer) Fixed64Always(num protowire.Number, v uint64) {
	w.buf = protowire.AppendFixed64(protowire.AppendTag(w.buf, num, protowire.Fixed64Type), v)
}

// Double writes a double; minus zero is not zero.
func (w *Writer) Double(num protowire.Number, v float64) { w.Fixed64(num, math.Float64bits(v)) }

// DoubleAlways is Double for every value.
func (w *Writer) DoubleAlways(num protowire.Number, v float64) {
	w.Fixed64Always(num, math.Float64bits(v))
}

// String writes a string.
func (w *Writer) String(num protowire.Number, v string) {
	if v != "" {
		w.StringAlways(num, v)
	}
}

// StringAlways is String for every value.
func (w *Writer) StringAlways(num protowire.Number, v string) {
	if !w.lax && !utf8.ValidString(v) {
		w.fail(ErrUTF8)
	}
	w.buf = protowire.AppendString(protowire.AppendTag(w.buf, num, protowire.BytesType), v)
}

// Bytes writes bytes.
func (w *Writer) Bytes(num protowire.Number, v []byte) {
	if len(v) > 0 {
		w.BytesAlways(num, v)
	}
}

// BytesAlways is Bytes for every value.
func (w *Writer) BytesAlways(num protowire.Number, v []byte) {
	w.buf = protowire.AppendBytes(protowire.AppendTag(w.buf, num, protowire.BytesType), v)
}

// Message writes a message, be it empty.
func (w *Writer) Message(num protowire.Number, m Message) {
	w.buf = protowire.AppendTag(w.buf, num, protowire.BytesType)
	w.delimited(m)
}

func (w *Writer) delimited(m Message) {
	start := len(w.buf)
	m.WriteProto(w)
	w.buf = insertLength(w.buf, start)
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// WriteMessages writes the elements of a list.
func WriteMessages[M Message](w *Writer, num protowire.Number, list []M) {
	for _, m := range list {
		w.Message(num, m)
	}
}

// Packed writes a list of uint32.
func (w *Writer) Packed(num protowire.Number, list []uint32) {
	if len(list) == 0 {
		return
	}
	w.buf = protowire.AppendTag(w.buf, num, protowire.BytesType)
	start := len(w.buf)
	for _, v := range list {
		w.buf = protowire.AppendVarint(w.buf, uint64(v))
	}
	w.buf = insertLength(w.buf, start)
}

// Map writes a map of strings, by key.
func (w *Writer) Map(num protowire.Number, m map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		w.buf = protowire.AppendTag(w.buf, num, protowire.BytesType)
		start := len(w.buf)
		w.StringAlways(1, key)
		w.StringAlways(2, m[key])
		w.buf = insertLength(w.buf, start)
	}
}

// Bool is a bool for Uint.
func Bool(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}

// Zigzag is an sint64 for Uint.
func Zigzag(v int64) uint64 { return protowire.EncodeZigZag(v) }
