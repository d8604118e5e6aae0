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

// likeText is s LIKE pattern: _ is one character, % any number of them, and \
// takes the next character as it is.
func likeText(c *textCall) {
	if !ValidLike(c.s[1]) {
		c.reason = reasonLikeEscape
		return
	}
	c.b = like(c.s[0], c.s[1])
}

// ValidLike tells whether a LIKE pattern is well-formed: it does not end in an
// escape character without a character after it.
func ValidLike(pattern string) bool {
	n := 0
	for n < len(pattern) && pattern[len(pattern)-1-n] == '\\' {
		n++
	}
	return n%2 == 0
}

// like matches greedily and goes back to the last % only, which is enough:
// what an earlier % has matched need not change. Time is at most len(s) * len(p).
func like(s, p string) bool {
	starP, starS := "", ""
	star := false
	for {
		switch {
		case p != "" && p[0] == '%':
			p = p[1:]
			if p == "" {
				return true
			}
			star, starP, starS = true, p, s
			continue
		case s == "" && p == "":
			return true
		case s != "" && p != "":
			if restS, restP, ok := likeOne(s, p); ok {
				s, p = restS, restP
				continue
			}
		}
		if !star || starS == "" {
			return false
		}
		_, size := utf8.DecodeRuneInString(starS)
		starS = starS[size:]
		s, p = starS, starP
	}
}

// likeOne matches one character of s with one of p, which is not a %.
func likeOne(s, p string) (restS, restP string, ok bool) {
	if p[0] == '_' {
		_, size := utf8.DecodeRuneInString(s)
		return s[size:], p[1:], true
	}
	if p[0] == '\\' {
		p = p[1:]
	}
	if s[0] != p[0] {
		return "", "", false
	}
	return s[1:], p[1:], true
}
