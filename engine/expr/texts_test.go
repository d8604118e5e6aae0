package expr

import (
	"bytes"
	"math"
	"regexp"
	"testing"
)

// FuzzTexts reads what rows hold: casts from string and patterns.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"", "2026-01-31 12:30:15.25+01:30:07", "0044-03-15 BC", "294246-12-31 24:00:00-15:59", "290308-01-01 00:00:00+15:59 BC", `\x00 ff`, `a\134\\`, " -1.5e300 ", "1e-999", "Infinity", "o", "a%b\\_"} {
		f.Add(s, "a%_\\%")
		f.Add("ab", s)
	}
	f.Fuzz(func(t *testing.T, s, p string) {
		if v, err := ParseTimestamp(s); err == nil {
			text := string(appendTimestamp(nil, v, false))
			if back, err := ParseTimestamp(text); err != nil || back != v {
				t.Errorf("%q is read %d, written %s and read %d (%v)", s, v, text, back, err)
			}
		}
		if v, err := ParseBytes(s); err == nil {
			if back, err := ParseBytes(string(appendBytes(nil, v))); err != nil || !bytes.Equal(back, v) {
				t.Errorf("%q is read %x, then %x (%v)", s, v, back, err)
			}
		}
		if v, err := ParseDouble(s); err == nil {
			if back, err := ParseDouble(string(appendDouble(nil, v))); err != nil || math.Float64bits(back) != math.Float64bits(v) {
				t.Errorf("%q is read %g, then %g (%v)", s, v, back, err)
			}
		}
		if ValidLike(p) {
			like(s, p)
		}
		// Without an escape character, a pattern of plain text matches itself only.
		if !regexp.MustCompile("[%_]").MatchString(p) && like(s, EscapedLike(p, "")) != (s == p) {
			t.Errorf("%q LIKE %q ESCAPE '' is %v", s, p, s != p)
		}
	})
}

func TestTimestampsAtTheEnds(t *testing.T) {
	for _, s := range []string{"294247-01-10 24:00:00-15:59:59", "294247-01-09 24:00:00-15:59:59", "290309-12-21 00:00:00+15:59:59 BC", "290309-12-23 00:00:00+15:59:59 BC", "999999-12-31", "999999-12-31 BC"} {
		if v, err := ParseTimestamp(s); err == nil && (v > 0) != (s[len(s)-1] != 'C') {
			t.Errorf("%s is read %d", s, v)
		}
	}
}
