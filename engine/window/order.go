package window

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/leatio/leat/engine/batch"
)

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// byBytes is the order of partial batches.
func byBytes(t *keyTable, a, b uint32) int { return bytes.Compare(t.bytes(a), t.bytes(b)) }

// bySQL is the order of ORDER BY over the key columns: NaN after all numbers,
// nulls last, strings by their bytes.
func bySQL(t *keyTable, a, b uint32) int {
	x, y := t.bytes(a), t.bytes(b)
	for _, f := range t.schema {
		c, nx, ny := compareSQL(f.Type, x, y)
		if c != 0 {
			return c
		}
		x, y = x[nx:], y[ny:]
	}
	return 0
}

// compareSQL compares the columns that two keys, in the bytes of batch.AppendKey, begin with, and
// gives the bytes that these take.
func compareSQL(t batch.Type, a, b []byte) (c, na, nb int) {
	if a[0] == 0 || b[0] == 0 {
		return int(b[0]) - int(a[0]), 1, 1 // of two nulls; else there is a difference
	}
	switch t {
	case batch.Bool:
		return int(a[1]) - int(b[1]), 2, 2
	case batch.String, batch.Bytes:
		x, na := keyBytes(a)
		y, nb := keyBytes(b)
		return bytes.Compare(x, y), na, nb
	}
	x, y := binary.BigEndian.Uint64(a[1:]), binary.BigEndian.Uint64(b[1:])
	if t == batch.Double {
		return compareDoubles(math.Float64frombits(x), math.Float64frombits(y)), 9, 9
	}
	return compareInts(int64(x), int64(y)), 9, 9
}

func compareDoubles(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case x == y || x != x && y != y:
		return 0
	case x != x:
		return 1
	}
	return -1
}
