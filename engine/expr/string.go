package expr

import (
	"math"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The string functions. Those that make strings append to c.buf and keep it
// within MaxString.

func lowerText(c *textCall) {
	for _, ch := range c.s[0] {
		c.buf = utf8.AppendRune(c.buf, unicode.ToLower(ch))
	}
	c.bound()
}

func upperText(c *textCall) {
	for _, ch := range c.s[0] {
		c.buf = utf8.AppendRune(c.buf, unicode.ToUpper(ch))
	}
	c.bound()
}

func (c *textCall) bound() {
	if len(c.buf) > MaxString {
		c.reason = reasonStringTooLong
	}
}

// put makes s the result.
func (c *textCall) put(s string) {
	c.buf = append(c.buf, s...)
	c.bound()
}

func lengthText(c *textCall) { c.n = int64(utf8.RuneCountInString(c.s[0])) }

// substrText is substr(s, from [, count]): characters count from 1, and the
// part before the first is cut off.
func substrText(c *textCall) {
	s, from := c.s[0], c.i[1]
	to := int64(math.MaxInt64) // one past the last
	if len(c.i) == 3 {
		count := c.i[2]
		if count < 0 {
			c.reason = reasonSubstr
			return
		}
		if to = from + count; to < from { // too far to count: up to the end
			to = math.MaxInt64
		}
	}
	at := int64(1)
	begin := len(s)
	for i := range s {
		if at >= to {
			c.put(s[min(begin, i):i])
			return
		}
		if at >= from && begin == len(s) {
			begin = i
		}
		at++
	}
	c.put(s[begin:])
}

func concatText(c *textCall) {
	for _, s := range c.s {
		if len(c.buf)+len(s) > MaxString {
			c.reason = reasonStringTooLong
			return
		}
		c.buf = append(c.buf, s...)
	}
}

// replaceText is replace(s, from, to); an empty from replaces nothing.
func replaceText(c *textCall) {
	s, from, to := c.s[0], c.s[1], c.s[2]
	for from != "" {
		i := strings.Index(s, from)
		if i < 0 {
			break
		}
		c.buf = append(append(c.buf, s[:i]...), to...)
		s = s[i+len(from):]
		if len(c.buf) > MaxString {
			c.reason = reasonStringTooLong
			return
		}
	}
	c.put(s)
}

// splitPartText is split_part(s, delimiter, n): field n from the front, or from the
// end when n is negative; empty when there is none.
func splitPartText(c *textCall) {
	s, sep, n := c.s[0], c.s[1], c.i[2]
	switch {
	case n == 0:
		c.reason = reasonSplitPart
		return
	case sep == "":
		if n == 1 || n == -1 {
			c.put(s)
		}
		return
	}
	if n < 0 {
		if n += int64(strings.Count(s, sep)) + 2; n < 1 {
			return
		}
	}
	for {
		field, rest, more := strings.Cut(s, sep)
		if n--; n == 0 {
			c.put(field)
			return
		}
		if !more {
			return
		}
		s = rest
	}
}

// matchText tests a compiled regular expression.
func matchText(re *regexp.Regexp) textFunc {
	return func(c *textCall) { c.b = re.MatchString(c.s[0]) }
}

// CompilePattern compiles a pattern of regexp_like: RE2 syntax, and a dot
// matches a newline as in PostgreSQL.
func CompilePattern(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile("(?s)" + pattern)
}
