package expr

import (
	"strings"
	"unicode/utf8"
)

// likeText is s LIKE pattern: _ is one character, % any number of them, and \
// takes the next character as it is.
func likeText(c *textCall) {
	if !ValidLike(c.s[1]) {
		c.reason = reasonLikeEscape
		return
	}
	c.b = like(c.s[0], c.s[1])
}

// likeEscapeText is pattern ESCAPE escape: a pattern whose escape character is \.
func likeEscapeText(c *textCall) {
	if !ValidEscape(c.s[1]) {
		c.reason = reasonEscape
		return
	}
	c.put(EscapedLike(c.s[0], c.s[1]))
}

// ValidEscape tells whether a text can follow ESCAPE: one character, or none,
// so that no character is taken as it is.
func ValidEscape(escape string) bool {
	_, size := utf8.DecodeRuneInString(escape)
	return size == len(escape)
}

// EscapedLike rewrites a pattern whose escape character is another, or none,
// to one whose escape character is \.
func EscapedLike(pattern, escape string) string {
	if escape == `\` {
		return pattern
	}
	var b strings.Builder
	escaped := false
	for pattern != "" {
		_, size := utf8.DecodeRuneInString(pattern)
		c := pattern[:size]
		pattern = pattern[size:]
		switch {
		case c == escape && !escaped:
			b.WriteString(`\`)
			escaped = true
			continue
		case c == `\` && !escaped:
			b.WriteString(`\\`)
		default:
			b.WriteString(c)
		}
		escaped = false
	}
	return b.String()
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
