package decode

import (
	"math"
	"math/bits"
)

// shape is where the value of a field ended in the row before, and what stood where. Most
// values have the shape of the one before. That is cheap to check, and what follows from it need
// not be computed: above all not where the next field begins, so that the processor, which predicts the
// outcome of the check, works on the fields of a row at the same time instead of one after the other.
type shape struct {
	length int
	whole  int // digits before the point
	// Of the first and the second eight bytes: which ones count, and which of them are not digits, or
	// in a string not plain.
	mask, marks   [2]uint64
	point, isZero uint64  // a byte of ones where the point stands, and what makes a point there zero
	shift         int     // moves the last digit to the top of its word
	fraction      uint64  // where the digits behind the point then stand
	scale         float64 // ten to their number
	times         uint64  // ten to the number of digits in the second word
	keep          [2]uint64
}

// notDigits has the high bit of each byte set whose digit in t, a word less '0' in each byte, is none.
func notDigits(t uint64) uint64 { return ((t&^highs + (0x80-10)*ones) | t) & highs }

// lowBytes has the lowest n bytes set, up to 8.
func lowBytes(n int) uint64 { return 1<<(8*n) - 1 }

// highBit has the high bit of byte n set, or none for n = 8.
func highBit(n int) uint64 { return 0x80 << (8 * n) }

// none makes a shape that nothing fits: that bit is never set in notDigits nor specials.
func (s *shape) none() { *s = shape{marks: [2]uint64{1, 1}} }

// ofNumber notes the shape of the number, digits or digits, a point and digits, that begins in w and ends before its last
// byte. Any other makes a shape that nothing fits.
func (s *shape) ofNumber(w uint64) {
	s.none()
	other := notDigits(w ^ '0'*ones)
	whole := bits.TrailingZeros64(other) >> 3
	if whole == 0 || whole == 8 {
		return
	}
	n := shape{length: whole, whole: whole, fraction: math.MaxUint64, scale: 1}
	if byte(w>>(8*whole)) == '.' {
		n.length = bits.TrailingZeros64(other&(other-1)) >> 3
		digits := n.length - whole - 1
		if n.length == 8 || digits == 0 {
			return
		}
		n.point, n.isZero = 0xff<<(8*whole), '.'<<(8*whole)
		n.fraction, n.scale = math.MaxUint64<<(64-8*digits), pow10[digits]
		n.marks[0] = highBit(whole)
	}
	n.mask[0] = lowBytes(n.length + 1)
	n.marks[0] |= highBit(n.length)
	n.shift = 64 - 8*n.length
	*s = n
}

// fitsNumber tells whether the number that begins in w has the shape. JSON allows no zero before other digits.
func (s *shape) fitsNumber(w uint64) bool {
	t := w ^ '0'*ones
	return (notDigits(t)&s.mask[0]^s.marks[0])|(w&s.point^s.isZero) == 0 && (byte(t) != 0 || s.whole == 1)
}

// scanDouble reads a number or null at p[i] into a row. There are eight bytes and one for a sign.
func (fd *field) scanDouble(p []byte, i, row int) int {
	c, s, start := fd.col, &fd.shape, i
	negative := p[i] == '-'
	if negative {
		i++
	}
	w := load(p, i)
	if !s.fitsNumber(w) {
		s.ofNumber(w)
		return c.scanDouble(p, start, row)
	}
	// The digits move to the top; those before the point one byte further, over it.
	t := (w ^ '0'*ones) << (s.shift & 63)
	v := float64(int64(eightDigits(t&s.fraction|t<<8&^s.fraction))) / s.scale
	if negative {
		v = -v
	}
	c.doubles[row] = v
	return i + s.length
}

// ofInteger notes the shape of up to 15 digits.
func (s *shape) ofInteger(first, second uint64) {
	s.none()
	n := bits.TrailingZeros64(notDigits(first^'0'*ones)) >> 3
	if n == 0 {
		return
	}
	if n < 8 {
		*s = shape{length: n, mask: [2]uint64{lowBytes(n + 1), 0}, marks: [2]uint64{highBit(n), 0}, shift: 64 - 8*n, times: 1}
		return
	}
	if n = bits.TrailingZeros64(notDigits(second^'0'*ones)) >> 3; n < 8 {
		*s = shape{length: 8 + n, mask: [2]uint64{math.MaxUint64, lowBytes(n + 1)}, marks: [2]uint64{0, highBit(n)}, shift: 64 - 8*n, times: tens[n]}
	}
}

// scanInteger reads a number or null at p[i] into a row. There are 16 bytes.
func (fd *field) scanInteger(p []byte, i, row int) int {
	c, s := fd.col, &fd.shape
	w0, w1 := load(p, i), load(p, i+8)
	t0, t1 := w0^'0'*ones, w1^'0'*ones
	if (notDigits(t0)&s.mask[0]^s.marks[0])|(notDigits(t1)&s.mask[1]^s.marks[1]) != 0 || byte(t0) == 0 {
		s.ofInteger(w0, w1)
		return c.scanIntegerOrNull(p, i, row, fd.kind == kindInt)
	}
	var v uint64
	if s.length < 8 {
		v = eightDigits(t0 << (s.shift & 63))
	} else if v = eightDigits(t0) * s.times; s.length > 8 {
		v += eightDigits(t1 << (s.shift & 63))
	}
	if v > c.most { // a point or an exponent behind the digits is no text of the template
		return c.scanIntegerOrNull(p, i, row, fd.kind == kindInt)
	}
	c.ints[row] = int64(v) * c.factor
	return i + s.length
}

// ofString notes the shape of a plain string of up to 15 bytes.
func (s *shape) ofString(first, second uint64) {
	s.none()
	n := bits.TrailingZeros64(specials(first)) >> 3
	if n < 8 {
		*s = shape{length: n, mask: [2]uint64{lowBytes(n + 1), 0}, marks: [2]uint64{highBit(n), 0}, keep: [2]uint64{lowBytes(n), 0}}
		return
	}
	if n = bits.TrailingZeros64(specials(second)) >> 3; n < 8 {
		*s = shape{length: 8 + n, mask: [2]uint64{math.MaxUint64, lowBytes(n + 1)}, marks: [2]uint64{0, highBit(n)}, keep: [2]uint64{math.MaxUint64, lowBytes(n)}}
	}
}

// scanString reads the string whose first byte is p[i] into a row and gives the index of the
// quote that ends it, or -1. It has the words of the string at hand when it has found its end. There are 16 bytes.
func (fd *field) scanString(p []byte, i, row int) int {
	c, s := fd.col, &fd.shape
	w0, w1 := load(p, i), load(p, i+8)
	// Of special bytes only the lowest is exact, and no other one counts.
	if (specials(w0)&s.mask[0]^s.marks[0])|(specials(w1)&s.mask[1]^s.marks[1]) != 0 || p[i+s.length] != '"' {
		s.ofString(w0, w1)
		end := plainString(p, i)
		if end >= 0 {
			c.codes[row] = c.intern(p[i:end])
		}
		return end
	}
	c.codes[row] = c.internWords(p[i:i+s.length], w0&s.keep[0], w1&s.keep[1])
	return i + s.length
}
