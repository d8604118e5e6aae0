package window

import (
	"bytes"
	"strings"

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
	for k := range t.cols {
		if c := compareSQL(&t.cols[k], int(a), int(b)); c != 0 {
			return c
		}
	}
	return 0
}

func compareSQL(c *batch.Column, a, b int) int {
	if na, nb := c.Null(a), c.Null(b); na || nb {
		return compareBools(na, nb)
	}
	switch c.Type {
	case batch.Bool:
		return compareBools(c.Bools[a], c.Bools[b])
	case batch.Double:
		x, y := c.Doubles[a], c.Doubles[b]
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return compareBools(x != x, y != y)
	case batch.String:
		return strings.Compare(c.Str(a), c.Str(b))
	case batch.Bytes:
		return bytes.Compare(c.Blob(a), c.Blob(b))
	default:
		return compareInts(c.Ints[a], c.Ints[b])
	}
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
