package decode

import (
	"errors"
	"fmt"
	"math"

	"github.com/leatio/leat/engine/batch"
)

// cborFormat decodes CBOR (RFC 8949): a map of text keys, or an array of maps that gives a row each.
type cborFormat struct {
	*Decoder
	names names
	buf   []byte // a string put together of chunks
}

func newCBOR(d *Decoder) *cborFormat { return &cborFormat{Decoder: d, names: namesOf(d)} }

// Major types.
const (
	cborUint = iota
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
	cborTag
	cborSimple
)

const (
	indefinite    = 31
	cborBreak     = 0xff
	selfDescribed = 55799
)

var (
	errCut      = errors.New("malformed CBOR: it ends within a value")
	errReserved = errors.New("malformed CBOR: a reserved length")
	errBreak    = errors.New("malformed CBOR: a break outside of an indefinite length")
	errChunk    = errors.New("malformed CBOR: a chunk of another type than its string")
)

// head is the beginning of a data item.
type head struct {
	major byte
	info  byte
	arg   uint64
	indef bool
}

// head reads the head at p[i].
func (f *cborFormat) head(p []byte, i int) (h head, next int, err error) {
	if i >= len(p) {
		return h, 0, errCut
	}
	h = head{major: p[i] >> 5, info: p[i] & 31}
	i++
	switch {
	case h.info < 24:
		h.arg = uint64(h.info)
		return h, i, nil
	case h.info < 28:
		n := 1 << (h.info - 24)
		if len(p)-i < n {
			return h, 0, errCut
		}
		for _, b := range p[i : i+n] {
			h.arg = h.arg<<8 | uint64(b)
		}
		if h.major == cborSimple && n == 1 && h.arg < 32 {
			return h, 0, errReserved
		}
		return h, i + n, nil
	case h.info == indefinite && h.major >= cborBytes && h.major <= cborMap:
		h.indef = true
		return h, i, nil
	case h.info == indefinite && h.major == cborSimple:
		return h, 0, errBreak
	}
	return h, 0, errReserved
}

func (f *cborFormat) record(p []byte) error {
	if len(p) == 0 {
		return errEmpty
	}
	h, i, err := f.untagged(p, 0)
	if err != nil {
		return err
	}
	depth := f.limits.Depth - 1
	switch h.major {
	case cborMap:
		i, err = f.row(p, i, h, depth)
	case cborArray:
		i, err = f.array(p, i, h, depth-1)
	default:
		return fmt.Errorf("expected a map, found %s", h.describe())
	}
	if err == nil && i < len(p) {
		err = fmt.Errorf("malformed CBOR: %d bytes behind the value", len(p)-i)
	}
	return err
}

// untagged reads a head and steps over the tags before it.
func (f *cborFormat) untagged(p []byte, i int) (h head, next int, err error) {
	for range f.limits.Depth {
		if h, i, err = f.head(p, i); err != nil || h.major != cborTag {
			return h, i, err
		}
	}
	return h, 0, errDepth
}

// more tells whether another item of an array or map follows, the n-th.
func (h *head) more(p []byte, i int, n uint64) (bool, int, error) {
	if !h.indef {
		return n < h.arg, i, nil
	}
	if i >= len(p) {
		return false, 0, errCut
	}
	if p[i] == cborBreak {
		return false, i + 1, nil
	}
	return true, i, nil
}

// array decodes the maps of an array.
func (f *cborFormat) array(p []byte, i int, h head, depth int) (int, error) {
	if depth < 0 {
		return 0, errDepth
	}
	for n := uint64(0); ; n++ {
		more, next, err := h.more(p, i, n)
		if err != nil || !more {
			return next, err
		}
		if n == uint64(f.limits.Rows) {
			return 0, fmt.Errorf("an array of more rows than the limit (%d)", f.limits.Rows)
		}
		item, next, err := f.untagged(p, next)
		if err != nil {
			return 0, err
		}
		if item.major != cborMap {
			return 0, fmt.Errorf("element %d: expected a map, found %s", n, item.describe())
		}
		if i, err = f.row(p, next, item, depth); err != nil {
			return 0, fmt.Errorf("element %d: %w", n, err)
		}
	}
}

// row decodes the map whose head is h into a row.
func (f *cborFormat) row(p []byte, i int, h head, depth int) (int, error) {
	f.startRow()
	seen := 0
	for n := uint64(0); ; n++ {
		more, next, err := h.more(p, i, n)
		if err != nil {
			return 0, err
		}
		if i = next; !more {
			break
		}
		var c *column
		if i < len(p) && p[i]>>5 == cborText {
			key, next, err := f.text(p, i)
			if err != nil {
				return 0, err
			}
			c, i = f.names.at(int(min(n, maxOrder)), key), next
		} else if i, err = f.skip(p, i, depth); err != nil { // a key that no column can have
			return 0, err
		}
		if c == nil {
			if i, err = f.skip(p, i, depth); err != nil {
				return 0, err
			}
			continue
		}
		seen += f.first(c)
		if i, err = f.value(p, i, c, depth); err != nil {
			return 0, columnError(c, err)
		}
	}
	f.endRow(seen)
	return i, nil
}

// value decodes the item at p[i] into a column of the row.
func (f *cborFormat) value(p []byte, i int, c *column, depth int) (int, error) {
	start, tag, tagged := i, uint64(0), false
	h, i, err := f.head(p, i)
	for n := 0; err == nil && h.major == cborTag; n++ {
		if n == f.limits.Depth {
			return 0, errDepth
		}
		if h.arg != selfDescribed {
			tag, tagged = h.arg, true
		}
		start = i
		h, i, err = f.head(p, i)
	}
	if err != nil {
		return 0, err
	}
	switch h.major {
	case cborUint, cborNegative:
		v, ok := h.int()
		switch {
		case tagged && tag == 1 && c.typ == batch.Timestamp:
			return i, f.epoch(c, h.float(), v, ok)
		case !ok && c.typ == batch.Double:
			return i, c.setDouble(f.rows, h.float())
		case !ok && c.typ != batch.Int && c.typ != batch.Timestamp:
			return 0, wrong(c, "a number")
		case !ok:
			return 0, errRange
		}
		return i, c.setInt(f.rows, v)
	case cborBytes, cborText:
		text, next, err := f.text(p, start)
		switch {
		case err != nil:
			return 0, err
		case tagged && (tag == 2 || tag == 3):
			return 0, errors.New("expected a number of 64 bits, found a big number")
		case h.major == cborBytes:
			return next, c.setBlob(f.rows, text)
		case tagged && tag == 0 && c.typ == batch.Timestamp:
			return next, c.setTime(f.rows, text)
		}
		return next, c.setString(f.rows, text)
	case cborSimple:
		return i, f.simple(c, h, tagged && tag == 1)
	}
	return 0, wrong(c, h.describe())
}

// simple sets a boolean, a null or a float.
func (f *cborFormat) simple(c *column, h head, epoch bool) error {
	switch h.info {
	case 20, 21:
		return c.setBool(f.rows, h.info == 21)
	case 22, 23: // null, undefined
		c.setNull(f.rows)
		return nil
	case 25, 26, 27:
		if v := h.float(); epoch && c.typ == batch.Timestamp {
			return f.epoch(c, v, 0, false)
		} else {
			return c.setDouble(f.rows, v)
		}
	}
	return wrong(c, h.describe())
}

// epoch sets a time of tag 1: seconds, whatever the column's unit.
func (f *cborFormat) epoch(c *column, v float64, whole int64, exact bool) error {
	if exact {
		micros, ok := toMicros(whole, 6)
		if !ok {
			return errRange
		}
		c.ints[f.rows] = micros
		return nil
	}
	if v = math.Floor(v * 1e6); !(v >= -1<<63 && v < 1<<63) {
		return errRange
	}
	c.ints[f.rows] = int64(v)
	return nil
}

// text reads a string of bytes or text at p[i]. It is valid until the next one.
func (f *cborFormat) text(p []byte, i int) ([]byte, int, error) {
	h, i, err := f.head(p, i)
	if err != nil {
		return nil, 0, err
	}
	if !h.indef {
		if h.arg > uint64(len(p)-i) {
			return nil, 0, errCut
		}
		return p[i : i+int(h.arg)], i + int(h.arg), nil
	}
	f.buf = f.buf[:0]
	for i < len(p) && p[i] != cborBreak {
		chunk, next, err := f.head(p, i)
		switch {
		case err != nil:
			return nil, 0, err
		case chunk.major != h.major || chunk.indef:
			return nil, 0, errChunk
		case chunk.arg > uint64(len(p)-next):
			return nil, 0, errCut
		}
		i = next + int(chunk.arg)
		f.buf = append(f.buf, p[next:i]...)
	}
	if i >= len(p) {
		return nil, 0, errCut
	}
	return f.buf, i + 1, nil
}

// skip steps over the item at p[i].
func (f *cborFormat) skip(p []byte, i, depth int) (int, error) {
	h, i, err := f.untagged(p, i)
	if err != nil {
		return 0, err
	}
	switch h.major {
	case cborBytes, cborText:
		if h.indef {
			_, i, err = f.text(p, i-1)
			return i, err
		}
		if h.arg > uint64(len(p)-i) {
			return 0, errCut
		}
		return i + int(h.arg), nil
	case cborArray, cborMap:
		if depth--; depth < 0 {
			return 0, errDepth
		}
		for n := uint64(0); ; n++ {
			more, next, err := h.more(p, i, n)
			if err != nil || !more {
				return next, err
			}
			if i, err = f.skip(p, next, depth); err == nil && h.major == cborMap {
				i, err = f.skip(p, i, depth)
			}
			if err != nil {
				return 0, err
			}
		}
	}
	return i, nil
}

// int gives a whole number, and whether it has 64 bits.
func (h *head) int() (int64, bool) {
	if h.major == cborNegative {
		return -1 - int64(h.arg), h.arg <= math.MaxInt64
	}
	return int64(h.arg), h.arg <= math.MaxInt64
}

// float gives the double nearest to a number.
func (h *head) float() float64 {
	switch {
	case h.major == cborUint:
		return float64(h.arg)
	case h.major == cborNegative:
		return -1 - float64(h.arg)
	case h.info == 25:
		return halfFloat(uint16(h.arg))
	case h.info == 26:
		return float64(math.Float32frombits(uint32(h.arg)))
	}
	return math.Float64frombits(h.arg)
}

// halfFloat gives the value of an IEEE 754 half-precision number.
func halfFloat(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 31:
		if v = math.Inf(1); fraction != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(fraction+1024, exponent-25)
	}
	if h>>15 == 1 {
		v = -v
	}
	return v
}

// describe names the type of an item.
func (h *head) describe() string {
	switch h.major {
	case cborUint, cborNegative:
		return "a number"
	case cborBytes:
		return "bytes"
	case cborText:
		return "a string"
	case cborArray:
		return "an array"
	case cborMap:
		return "a map"
	}
	switch h.info {
	case 20, 21:
		return "a boolean"
	case 22, 23:
		return "null"
	case 25, 26, 27:
		return "a number"
	}
	return "a simple value"
}
