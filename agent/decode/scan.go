package decode

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The functions of this file read JSON text from p[i] on and give the index
// after what they read, or -1 for what they do not cover.

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

func skipSpace(p []byte, i int) int {
	for i < len(p) && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t') {
		i++
	}
	return i
}

func literal(p []byte, i int, word string) int {
	if len(p)-i >= len(word) && string(p[i:i+len(word)]) == word {
		return i + len(word)
	}
	return -1
}

// specials has the high bit of each byte of w set that is a quote, a
// backslash, a control character or not ASCII. Only the lowest is exact: a
// borrow can set bits above it.
func specials(w uint64) uint64 {
	return ((w - 0x20*ones) | ((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones) | w) & highs
}

// plainString gives the index of the quote that ends the string whose first
// byte is p[i]. The string is valid UTF-8 without escapes.
func plainString(p []byte, i int) int {
	start := i
	for ; i+8 <= len(p); i += 8 {
		if s := specials(binary.LittleEndian.Uint64(p[i:])); s != 0 {
			if i += bits.TrailingZeros64(s) >> 3; p[i] == '"' {
				return i
			}
			break
		}
	}
	for i < len(p) && p[i] >= ' ' && p[i] != '"' && p[i] != '\\' && p[i] < utf8.RuneSelf {
		i++
	}
	switch {
	case i == len(p):
		return -1
	case p[i] == '"':
		return i
	case p[i] < utf8.RuneSelf:
		return -1
	}
	return plainUTF8(p, start, i)
}

// plainUTF8 is plainString once a byte beyond ASCII was met at p[i].
func plainUTF8(p []byte, start, i int) int {
	for ; i < len(p) && p[i] != '"'; i++ {
		if p[i] < ' ' || p[i] == '\\' {
			return -1
		}
	}
	if i == len(p) || !utf8.Valid(p[start:i]) {
		return -1
	}
	return i
}

// scanDigits reads digits at p[i] onto v. It does not look for overflow: the caller
// bounds the number of digits.
func scanDigits(p []byte, i int, v uint64) (uint64, int) {
	for i+8 <= len(p) {
		w := binary.LittleEndian.Uint64(p[i:]) ^ '0'*ones
		other := (w + (0x80-10)*ones | w) & highs // as with specials, the lowest bit is exact
		if other != 0 {
			k := bits.TrailingZeros64(other) >> 3
			if k == 0 {
				return v, i
			}
			return v*tens[k] + eightDigits(w<<(64-8*k)), i + k
		}
		v = v*100000000 + eightDigits(w)
		i += 8
	}
	for ; i < len(p) && p[i]-'0' <= 9; i++ {
		v = 10*v + uint64(p[i]-'0')
	}
	return v, i
}

var tens = [8]uint64{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000}

// eightDigits gives the number whose digits are the bytes of w, the first one lowest:
// pairs, then fours, then all.
func eightDigits(w uint64) uint64 {
	w = w * 2561 >> 8
	w = (w & 0x00FF00FF00FF00FF) * 6553601 >> 16
	return (w & 0x0000FFFF0000FFFF) * 42949672960001 >> 32
}

// scanDouble reads a number or null into a row.
func (c *column) scanDouble(p []byte, i, row int) int {
	end := scanDouble(p, i, &c.doubles[row])
	if end < 0 {
		end = c.scanNull(p, i, row)
	}
	return end
}

// scanNull reads a null into a row.
func (c *column) scanNull(p []byte, i, row int) int {
	end := literal(p, i, "null")
	if end >= 0 {
		c.setNull(row)
	}
	return end
}

// scanBool reads true, false or null into a row.
func (c *column) scanBool(p []byte, i, row int) int {
	switch p[i] {
	case 't':
		c.bools[row] = true
		return literal(p, i, "true")
	case 'f':
		c.bools[row] = false
		return literal(p, i, "false")
	}
	return c.scanNull(p, i, row)
}

// scanDouble reads a number. Up to 19 digits without an exponent, whose digits
// make an integer below 2^53, it rounds exactly by one division (Clinger's fast
// path); the rest is left to strconv.
func scanDouble(p []byte, i int, out *float64) int {
	start := i
	neg := false
	if p[i] == '-' {
		neg = true
		i++
	}
	first, v := i, uint64(0)
	for ; i < len(p) && p[i]-'0' <= 9; i++ { // mostly few
		v = 10*v + uint64(p[i]-'0')
	}
	digits, fraction := i-first, 0
	if digits == 0 || digits > 1 && p[first] == '0' {
		return -1
	}
	if i < len(p) && p[i] == '.' {
		i++
		point := i
		for ; i < len(p) && i < point+3 && p[i]-'0' <= 9; i++ {
			v = 10*v + uint64(p[i]-'0')
		}
		if i == point+3 {
			v, i = scanDigits(p, i, v)
		}
		if fraction = i - point; fraction == 0 {
			return -1
		}
	}
	if digits+fraction > 19 || v > 1<<53 || i < len(p) && p[i]|0x20 == 'e' {
		return scanDoubleSlow(p, start, out)
	}
	f := float64(v)
	if fraction > 0 {
		f /= pow10[fraction]
	}
	if neg {
		f = -f
	}
	*out = f
	return i
}

func scanDoubleSlow(p []byte, i int, out *float64) int {
	end := skipNumber(p, i)
	if end < 0 {
		return -1
	}
	v, err := parseDouble(p[i:end])
	if err != nil {
		return -1
	}
	*out = v
	return end
}

// scanIntegerOrNull reads a number or null into a row.
func (c *column) scanIntegerOrNull(p []byte, i, row int, exact bool) int {
	end := c.scanInteger(p, i, row, exact)
	if end < 0 {
		end = c.scanNull(p, i, row)
	}
	return end
}

// scanInteger reads a number, times ten to the column's shift, rounded down, into a
// row. exact allows no rounding.
func (c *column) scanInteger(p []byte, i, row int, exact bool) int {
	start := i
	neg := false
	if p[i] == '-' {
		neg = true
		i++
	}
	first := i
	u, i := scanDigits(p, i, 0)
	digits := i - first
	if digits == 0 || digits > 1 && p[first] == '0' {
		return -1
	}
	if digits > 19 || u > c.most || i < len(p) && (p[i] == '.' || p[i]|0x20 == 'e') {
		return c.scanIntegerSlow(p, start, row, exact)
	}
	v := int64(u) * c.factor
	if neg {
		v = -v
	}
	c.ints[row] = v
	return i
}

func (c *column) scanIntegerSlow(p []byte, i, row int, exact bool) int {
	end := skipNumber(p, i)
	if end < 0 {
		return -1
	}
	v, whole, err := parseDecimal(p[i:end], c.shift)
	if err != nil || exact && !whole {
		return -1
	}
	c.ints[row] = v
	return end
}

// skipNumber steps over a number by JSON's grammar.
func skipNumber(p []byte, i int) int {
	if i < len(p) && p[i] == '-' {
		i++
	}
	if i == len(p) {
		return -1
	}
	if p[i] == '0' {
		i++
	} else if i = skipDigits(p, i); i < 0 {
		return -1
	}
	if i < len(p) && p[i] == '.' {
		if i = skipDigits(p, i+1); i < 0 {
			return -1
		}
	}
	if i < len(p) && p[i]|0x20 == 'e' {
		i++
		if i < len(p) && (p[i] == '+' || p[i] == '-') {
			i++
		}
		return skipDigits(p, i)
	}
	return i
}

func skipDigits(p []byte, i int) int {
	start := i
	for i < len(p) && p[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// skipString steps over a string whose first byte is p[i], with escapes.
func skipString(p []byte, i int) int {
	for i < len(p) {
		switch c := p[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c != '\\':
			i++
		case i+1 == len(p):
			return -1
		case p[i+1] == 'u':
			if i+6 > len(p) || !isHex(p[i+2]) || !isHex(p[i+3]) || !isHex(p[i+4]) || !isHex(p[i+5]) {
				return -1
			}
			i += 6
		default:
			switch p[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			default:
				return -1
			}
		}
	}
	return -1
}

func isHex(c byte) bool { return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'f' }

// skipValue steps over any value. depth is how deep it may nest.
func skipValue(p []byte, i, depth int) int {
	if i == len(p) {
		return -1
	}
	switch p[i] {
	case '"':
		return skipString(p, i+1)
	case '{', '[':
		if depth < 1 {
			return -1
		}
		return skipContainer(p, i, depth)
	case 't':
		return literal(p, i, "true")
	case 'f':
		return literal(p, i, "false")
	case 'n':
		return literal(p, i, "null")
	}
	return skipNumber(p, i)
}

// skipContainer steps over the object or array at p[i].
func skipContainer(p []byte, i, depth int) int {
	object, last := p[i] == '{', p[i]+2 // '{'+2 is '}', '['+2 is ']'
	i = skipSpace(p, i+1)
	if i < len(p) && p[i] == last {
		return i + 1
	}
	for {
		if object {
			if i == len(p) || p[i] != '"' {
				return -1
			}
			if i = skipString(p, i+1); i < 0 {
				return -1
			}
			i = skipSpace(p, i)
			if i == len(p) || p[i] != ':' {
				return -1
			}
			i = skipSpace(p, i+1)
		}
		if i = skipValue(p, i, depth-1); i < 0 {
			return -1
		}
		i = skipSpace(p, i)
		switch {
		case i == len(p):
			return -1
		case p[i] == last:
			return i + 1
		case p[i] != ',':
			return -1
		}
		i = skipSpace(p, i+1)
	}
}
