package plan

import (
	"errors"
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
