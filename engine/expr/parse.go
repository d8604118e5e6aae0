package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/leatio/leat/engine/batch"
)

// The texts of values: what CAST reads and what the parser's typed literals
// mean.

func syntaxError(t batch.Type, s string) error {
	return fmt.Errorf("invalid input syntax for type %s: %s", t, clip(s))
}

// clip quotes a text for a message, cut to 64 bytes.
func clip(s string) string {
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "..."
	}
	return strconv.Quote(s)
}

func trim(s string) string { return strings.Trim(s, " \t\n\r\v\f") }

// ParseBool reads a bool as PostgreSQL does: true, yes, on, 1 and their
// opposites, in any case, or the beginning of one that is not ambiguous.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(trim(s)) {
	case "t", "tr", "tru", "true", "y", "ye", "yes", "on", "1":
		return true, nil
	case "f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0":
		return false, nil
	}
	return false, syntaxError(batch.Bool, s)
}

// ParseInt reads a decimal int, with spaces around it allowed.
func ParseInt(s string) (int64, error) {
	t := trim(s)
	v, err := strconv.ParseInt(t, 10, 64)
	switch {
	case err == nil:
		return v, nil
	case strings.Contains(err.Error(), strconv.ErrRange.Error()):
		return 0, fmt.Errorf("value %s is out of range for type int", clip(s))
	}
	return 0, syntaxError(batch.Int, s)
}

// ParseDouble reads a decimal double, NaN or Infinity, with spaces around it
// allowed.
func ParseDouble(s string) (float64, error) {
	t := trim(s)
	switch strings.ToLower(t) {
	case "nan":
		return batch.CanonicalNaN, nil
	case "inf", "+inf", "infinity", "+infinity":
		return math.Inf(1), nil
	case "-inf", "-infinity":
		return math.Inf(-1), nil
	}
	if t == "" || strings.Trim(t, "0123456789.eE+-") != "" || strings.ContainsAny(t, "_xXpP") {
		return 0, syntaxError(batch.Double, s)
	}
	v, err := strconv.ParseFloat(t, 64)
	switch {
	case err == nil && v == 0 && strings.ContainsAny(mantissa(t), "123456789"):
		return 0, fmt.Errorf("value %s is out of range for type double", clip(s))
	case err == nil:
		return v, nil
	case math.IsInf(v, 0):
		return 0, fmt.Errorf("value %s is out of range for type double", clip(s))
	}
	return 0, syntaxError(batch.Double, s)
}

// mantissa is the text of a number up to its exponent.
func mantissa(s string) string {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		return s[:i]
	}
	return s
}

// ParseBytes reads "\x" and pairs of hexadecimal digits, with blanks between the pairs allowed,
// or else plain text in which \\ is a backslash and \ooo an octal byte.
func ParseBytes(s string) ([]byte, error) {
	if digits, ok := strings.CutPrefix(s, `\x`); ok {
		var p []byte
		for digits = strings.TrimLeft(digits, blanks); digits != ""; digits = strings.TrimLeft(digits[2:], blanks) {
			b, err := strconv.ParseUint(digits[:min(2, len(digits))], 16, 8)
			if err != nil || len(digits) < 2 {
				return nil, syntaxError(batch.Bytes, s)
			}
			p = append(p, byte(b))
		}
		return p, nil
	}
	var p []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			p = append(p, s[i])
		case strings.HasPrefix(s[i+1:], `\`):
			p = append(p, '\\')
			i++
		default:
			if i+3 >= len(s) {
				return nil, syntaxError(batch.Bytes, s)
			}
			b, err := strconv.ParseUint(s[i+1:i+4], 8, 8)
			if err != nil {
				return nil, syntaxError(batch.Bytes, s)
			}
			p = append(p, byte(b))
			i += 3
		}
	}
	return p, nil
}

const blanks = " \n\t\r"

// ParseTimestamp reads "2026-01-31", "2026-01-31 12:30", "2026-01-31T12:30:15.25"
// and the same with Z or an offset such as +02 or -03:30 at the end, and then BC. Without
// an offset the time is UTC. Digits beyond microseconds are rounded.
func ParseTimestamp(s string) (int64, error) {
	p := timeParser{s: trim(s), ok: true}
	year := p.year()
	p.expect('-')
	month := p.number(2, 1, 12)
	p.expect('-')
	day := p.number(2, 1, 31)
	micros := int64(0)
	if p.peek("Tt ") && !strings.EqualFold(p.s, " BC") {
		micros = p.clock() - p.zone()
	}
	if strings.EqualFold(p.s, " BC") {
		p.s = ""
		p.ok = p.ok && year > 0
		year = 1 - year
	} else {
		p.ok = p.ok && year > 0
	}
	if !p.ok || p.s != "" {
		return 0, syntaxError(batch.Timestamp, s)
	}
	days := daysFrom(year, month, day)
	if y, m, d := civil(days); y != year || m != month || d != day {
		return 0, fmt.Errorf("date out of range: %s", clip(s))
	}
	v, ok := timestampOf(days, micros)
	if !ok {
		return 0, fmt.Errorf("timestamp out of range: %s", clip(s))
	}
	return v, nil
}

// timeParser eats a timestamp from the front of s.
type timeParser struct {
	s  string
	ok bool
}

func (p *timeParser) peek(set string) bool {
	return p.ok && p.s != "" && strings.IndexByte(set, p.s[0]) >= 0
}

func (p *timeParser) expect(c byte) {
	if p.ok = p.ok && p.s != "" && p.s[0] == c; p.ok {
		p.s = p.s[1:]
	}
}

// number eats exactly width digits.
func (p *timeParser) number(width int, low, high int64) int64 {
	if p.ok = p.ok && len(p.s) >= width; !p.ok {
		return 0
	}
	v := int64(0)
	for _, c := range []byte(p.s[:width]) {
		if c < '0' || c > '9' {
			p.ok = false
			return 0
		}
		v = 10*v + int64(c-'0')
	}
	p.s = p.s[width:]
	p.ok = v >= low && v <= high
	return v
}

// year eats four to six digits.
func (p *timeParser) year() int64 {
	width := 0
	for width < len(p.s) && width < 6 && p.s[width] >= '0' && p.s[width] <= '9' {
		width++
	}
	if width < 4 {
		p.ok = false
		return 0
	}
	return p.number(width, 0, 999_999)
}

func (p *timeParser) clock() int64 {
	if p.ok = p.peek("Tt "); !p.ok {
		return 0
	}
	p.s = p.s[1:]
	v := p.number(2, 0, 24) * microsHour
	p.expect(':')
	v += p.number(2, 0, 59) * microsMinute
	if p.peek(":") {
		p.s = p.s[1:]
		v += p.number(2, 0, 60) * microsSecond
		if p.peek(".") {
			v += p.fraction()
		}
	}
	p.ok = p.ok && v <= microsDay
	return v
}

// fraction eats the digits after the point of a second and rounds them as
// PostgreSQL does: in double.
func (p *timeParser) fraction() int64 {
	n := 1
	for n < len(p.s) && p.s[n] >= '0' && p.s[n] <= '9' {
		n++
	}
	v, err := strconv.ParseFloat("0"+p.s[:n], 64)
	p.ok = p.ok && n > 1 && err == nil
	p.s = p.s[n:]
	return int64(math.RoundToEven(float64(v * microsSecond)))
}

// zone eats the offset from UTC and gives it in microseconds.
func (p *timeParser) zone() int64 {
	if p.peek("Zz") {
		p.s = p.s[1:]
		return 0
	}
	if !p.peek("+-") {
		return 0
	}
	sign := int64(1)
	if p.s[0] == '-' {
		sign = -1
	}
	p.s = p.s[1:]
	v := p.number(2, 0, 15) * microsHour
	for _, unit := range [...]int64{microsMinute, microsSecond} {
		if p.peek(":") {
			p.s = p.s[1:]
		} else if !p.peek("0123456789") || unit == microsSecond {
			break
		}
		v += p.number(2, 0, 59) * unit
	}
	return sign * v
}

// appendTimestamp writes a timestamp as PostgreSQL does in UTC, with as many
// digits of the second as needed; a zone's clock (local) has no offset.
func appendTimestamp(dst []byte, v int64, local bool) []byte {
	days, at := floorDiv(v, microsDay), clock(v)
	year, month, day := civil(days)
	era := ""
	if year <= 0 {
		year, era = 1-year, " BC"
	}
	dst = appendPadded(dst, year, 4)
	dst = appendPadded(append(dst, '-'), month, 2)
	dst = appendPadded(append(dst, '-'), day, 2)
	dst = appendPadded(append(dst, ' '), at/microsHour, 2)
	dst = appendPadded(append(dst, ':'), at/microsMinute%60, 2)
	dst = appendPadded(append(dst, ':'), at/microsSecond%60, 2)
	if frac := at % microsSecond; frac != 0 {
		dst = appendPadded(append(dst, '.'), frac, 6)
		for dst[len(dst)-1] == '0' {
			dst = dst[:len(dst)-1]
		}
	}
	if !local {
		dst = append(dst, "+00"...)
	}
	return append(dst, era...)
}

// appendPadded writes v, which is not negative, with at least width digits.
func appendPadded(dst []byte, v int64, width int) []byte {
	limit := int64(1)
	for range width - 1 {
		limit *= 10
	}
	for ; v < limit && limit > 1; limit /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, v, 10)
}
