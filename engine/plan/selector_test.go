package plan

import (
	"errors"
	"slices"
	"testing"
)

func TestSelectorMatches(t *testing.T) {
	labels := map[string]string{"role": "greenhouse", "site": "north"}
	for _, c := range []struct {
		text string
		want bool
	}{
		{"", true},
		{"  ", true},
		{"role=greenhouse", true},
		{"role=pump", false},
		{"role!=pump", true},
		{"role!=greenhouse", false},
		{"role=greenhouse,site!=x", true},
		{" role = greenhouse , site != north ", false},
		{"floor=1", false},
		{"floor!=1", true},
	} {
		got, err := Matches(c.text, labels)
		if err != nil || got != c.want {
			t.Errorf("%q: %v, %v; want %v", c.text, got, err, c.want)
		}
	}
}

func TestSelectorMistakes(t *testing.T) {
	for text, offset := range map[string]int{
		"role":            0,
		"role=a,":         7,
		"role=a, site":    8,
		"role=a,=b":       7,
		"role=a,site=":    12,
		"role=a,site=b c": 12,
		"role==a":         5,
		"-x=a":            0,
	} {
		_, err := ParseSelector(text)
		var se *SelectorError
		if !errors.As(err, &se) || se.Offset != offset {
			t.Errorf("%q: %v; want a mistake at %d", text, err, offset)
		}
	}
}

// FuzzParseSelector: a selector that is taken is the same once written and read
// again; a mistake has its place in the text.
func FuzzParseSelector(f *testing.F) {
	for _, text := range []string{"", " role = greenhouse , site!=x ", "role==a", "a!==b", "a=b,,", "\x00=\xff", "a.b/c_d-e=1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelector(text)
		if err != nil {
			var se *SelectorError
			if !errors.As(err, &se) || se.Offset < 0 || se.Offset > len(text) || se.Msg == "" {
				t.Fatalf("%q: a mistake without a place: %#v", text, err)
			}
			return
		}
		written := ""
		for i, term := range s {
			if i > 0 {
				written += ","
			}
			operator := "="
			if term.Not {
				operator = "!="
			}
			written += term.Label + operator + term.Value
		}
		if again, err := ParseSelector(written); err != nil || !slices.Equal(again, s) {
			t.Fatalf("%q is %v, %q is %v (%v)", text, s, written, again, err)
		}
		for _, term := range s {
			if s.Matches(map[string]string{term.Label: term.Value}) == term.Not && len(s) == 1 {
				t.Fatalf("%q does not choose as it says", text)
			}
		}
	})
}
