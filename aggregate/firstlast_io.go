package aggregate

import "github.com/leatio/leat/engine/batch"

// gather gives values in the order of rows; dst is reused.
func gather[T any](dst, values []T, rows []uint32) []T {
	dst = dst[:0]
	for _, r := range rows {
		dst = append(dst, values[r])
	}
	return dst
}

// newTimed makes first or last of a column of type in.
func newTimed(kind string, in batch.Type) Accumulator {
	switch in {
	case batch.Bool:
		t := &timedBool{}
		return timedOf(kind, t.values, func(c *batch.Column, v int64) { putBool(c, v == 1) }, nil)
	case batch.Double:
		t := &timedDouble{}
		return timedOf(kind, t.values, putDouble, nil)
	case batch.String:
		t := &timedString{}
		return timedOf(kind, t.values, putString, stringBytes)
	case batch.Bytes:
		t := &timedBytes{}
		return timedOf(kind, t.values, putBytes, stringBytes)
	default:
		t := &timedInt{}
		return timedOf(kind, t.values, putInt, nil)
	}
}

func stringBytes(v string) int { return len(v) }

type timedInt struct{ buf []int64 }

func (t *timedInt) values(col *batch.Column, rows []uint32, _ int) []int64 {
	if rows == nil {
		return col.Ints
	}
	t.buf = gather(t.buf, col.Ints, rows)
	return t.buf
}

type timedDouble struct{ buf []float64 }

func (t *timedDouble) values(col *batch.Column, rows []uint32, _ int) []float64 {
	if rows == nil {
		return col.Doubles
	}
	t.buf = gather(t.buf, col.Doubles, rows)
	return t.buf
}

// timedBool holds false as 0 and true as 1.
type timedBool struct{ buf []int64 }

func (t *timedBool) values(col *batch.Column, rows []uint32, n int) []int64 {
	t.buf = t.buf[:0]
	for i := range n {
		v := int64(0)
		if col.Bools[rowAt(rows, i)] {
			v = 1
		}
		t.buf = append(t.buf, v)
	}
	return t.buf
}

// timedString refers to the strings of the batches' Dicts.
type timedString struct{ buf []string }

func (t *timedString) values(col *batch.Column, rows []uint32, n int) []string {
	t.buf = t.buf[:0]
	values := col.Dict.Values()
	for i := range n {
		t.buf = append(t.buf, values[col.Codes[rowAt(rows, i)]])
	}
	return t.buf
}

// dictLimit bounds the memory of a timedBytes' Dict.
const dictLimit = 1 << 20

// timedBytes copies values into strings, equal ones once while its Dict is below dictLimit.
type timedBytes struct {
	buf  []string
	dict *batch.Dict
}

func (t *timedBytes) values(col *batch.Column, rows []uint32, n int) []string {
	if t.dict == nil || t.dict.SizeBytes() > dictLimit {
		t.dict = batch.NewDict()
	}
	t.buf = t.buf[:0]
	for i := range n {
		t.buf = append(t.buf, t.dict.Value(t.dict.Code(col.Blob(rowAt(rows, i)))))
	}
	return t.buf
}
