package expr

import (
	"encoding/hex"
	"math"
	"strconv"

	"github.com/leatio/leat/engine/batch"
)

// castable tells whether CAST can turn a value of one type into another.
// Everything is read from string and written to it.
func castable(from, to batch.Type) bool {
	switch {
	case !from.Valid() || !to.Valid():
		return false
	case from == to:
		return true
	case from == batch.String || to == batch.String:
		return true
	case from == batch.Bytes || to == batch.Bytes:
		return false
	case from == batch.Int:
		return to == batch.Double || to == batch.Bool
	case to == batch.Int:
		return from == batch.Double || from == batch.Bool
	}
	return false
}

// Castable tells whether CAST can turn a value of type from into type to.
func Castable(from, to batch.Type) bool { return castable(from, to) }

// numericCast is a cast between bool, int and double.
type numericCast struct {
	from, to batch.Type
	a        node
	out      result
}

func (x *numericCast) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	o := &x.out
	o.reset(x.to, r.n)
	o.validFrom(r.n, a)
	switch {
	case x.to == batch.Double:
		intsToDoubles(o.col.Doubles, a.Ints[:r.n], rows)
	case x.to == batch.Bool:
		for _, i := range r.all(rows) {
			o.col.Bools[i] = a.Ints[i] != 0
		}
	case x.from == batch.Bool:
		for _, i := range r.all(rows) {
			o.col.Ints[i] = int64(b2i(a.Bools[i]))
		}
	default:
		if doublesToInts(o.col.Ints, a.Doubles, r.all(rows)) {
			r.failWhere(o, rows, reasonIntRange, func(i int) bool { return !intRange(math.RoundToEven(a.Doubles[i])) })
		}
	}
	return &o.col
}

func intsToDoubles(dst []float64, src []int64, rows []uint32) {
	if rows == nil {
		for i, v := range src {
			dst[i] = float64(v)
		}
		return
	}
	for _, i := range rows {
		dst[i] = float64(src[i])
	}
}

// intRange tells whether a whole number fits in an int; NaN does not.
func intRange(v float64) bool { return v >= -0x1p63 && v < 0x1p63 }

// doublesToInts rounds half to even. It tells whether a value does not fit.
func doublesToInts(dst []int64, src []float64, rows []uint32) (bad bool) {
	for _, i := range rows {
		v := math.RoundToEven(src[i])
		if !intRange(v) {
			bad, v = true, 0
		}
		dst[i] = int64(v)
	}
	return bad
}

// toText is a cast to string.
type toText struct {
	a     node
	local bool // a timestamp is a zone's clock
	out   result
	buf   []byte
}

func (x *toText) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	o := &x.out
	o.reset(batch.String, r.n)
	o.validFrom(r.n, a)
	o.col.Dict = r.dict
	for _, i := range r.all(rows) {
		if o.col.Null(int(i)) {
			continue
		}
		buf := x.buf[:0]
		switch a.Type {
		case batch.Bool:
			buf = strconv.AppendBool(buf, a.Bools[i])
		case batch.Double:
			buf = appendDouble(buf, a.Doubles[i])
		case batch.Timestamp:
			buf = appendTimestamp(buf, a.Ints[i], x.local)
		case batch.Bytes:
			if len(a.Blob(int(i))) > (MaxString-2)/2 {
				r.failRow(o, int(i), reasonStringTooLong)
				continue
			}
			buf = appendBytes(buf, a.Blob(int(i)))
		default:
			buf = strconv.AppendInt(buf, a.Ints[i], 10)
		}
		x.buf = buf
		if r.dict.Full() {
			r.failRow(o, int(i), reasonStringsFull)
			continue
		}
		o.col.Codes[i] = r.dict.Code(buf)
	}
	return &o.col
}

// appendBytes writes bytes as PostgreSQL does.
func appendBytes(dst, p []byte) []byte { return hex.AppendEncode(append(dst, `\x`...), p) }

// toBytes is a cast from string to bytes.
type toBytes struct {
	a   node
	out result
}

func (x *toBytes) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	o := &x.out
	o.reset(batch.Bytes, r.n)
	o.validFrom(r.n, a)
	rows = r.all(rows)
	for i := range r.n {
		if len(rows) == 0 || int(rows[0]) != i || o.col.Null(i) {
			o.col.AppendBlob(nil)
		} else if p, err := ParseBytes(a.Str(i)); err != nil {
			o.col.AppendBlob(nil)
			r.failRow(o, i, err.Error())
		} else {
			r.appendBlob(o, i, p)
		}
		if len(rows) > 0 && int(rows[0]) == i {
			rows = rows[1:]
		}
	}
	return &o.col
}

// readText is the function of a cast from string.
func readText(to batch.Type) textFunc {
	return func(c *textCall) {
		var err error
		switch s := c.s[0]; to {
		case batch.Bool:
			c.b, err = ParseBool(s)
		case batch.Int:
			c.n, err = ParseInt(s)
		case batch.Double:
			c.d, err = ParseDouble(s)
		default:
			c.n, err = ParseTimestamp(s)
		}
		if err != nil {
			c.reason = err.Error()
		}
	}
}
