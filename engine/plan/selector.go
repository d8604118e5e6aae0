package plan

import (
	"fmt"
	"strings"
)

// Selector chooses agents by their labels. The zero value chooses all.
type Selector []Term

// Term is one condition of a Selector. A label that an agent does not have
// equals no value, so "site!=x" holds for an agent without a site.
type Term struct {
	Label, Value string
	Not          bool // "!=" instead of "="
}

// SelectorError says what is wrong in the text of a selector and where.
type SelectorError struct {
	Offset int // bytes from the start of the text
	Msg    string
}

// Error gives the message with the place.
func (e *SelectorError) Error() string {
	return fmt.Sprintf("label selector, at byte %d: %s", e.Offset, e.Msg)
}

// Bounds of a selector's text.
const (
	maxSelectorBytes = 4096
	maxLabelBytes    = 63
)

// ParseSelector reads "role=greenhouse,site!=x": terms joined by commas, all
// of which must hold. Spaces around labels and values do not count. The empty text
// chooses all agents. The error is a *SelectorError.
func ParseSelector(text string) (Selector, error) {
	if len(text) > maxSelectorBytes {
		return nil, &SelectorError{maxSelectorBytes, fmt.Sprintf("longer than %d bytes", maxSelectorBytes)}
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var s Selector
	at := 0
	for part := range strings.SplitSeq(text, ",") {
		t, err := parseTerm(part, at)
		if err != nil {
			return nil, err
		}
		s = append(s, t)
		at += len(part) + 1
	}
	return s, nil
}

func parseTerm(part string, at int) (Term, error) {
	label, value, found := strings.Cut(part, "=")
	if !found {
		return Term{}, &SelectorError{at + leading(part), fmt.Sprintf("%q is not a condition on a label, expected label=value or label!=value", strings.TrimSpace(part))}
	}
	t := Term{Value: strings.TrimSpace(value)}
	valueAt := at + len(label) + 1 + leading(value)
	if l, not := strings.CutSuffix(label, "!"); not {
		t.Not, label = true, l
	}
	t.Label = strings.TrimSpace(label)
	if !validLabel(t.Label) {
		return Term{}, &SelectorError{at + leading(label), fmt.Sprintf("%q is not a label, expected up to %d letters, digits, '-', '_', '.', '/'", t.Label, maxLabelBytes)}
	}
	if !validLabel(t.Value) {
		return Term{}, &SelectorError{valueAt, fmt.Sprintf("%q is not a label's value, expected up to %d letters, digits, '-', '_', '.', '/'", t.Value, maxLabelBytes)}
	}
	return t, nil
}

func leading(s string) int {
	if strings.TrimSpace(s) == "" {
		return 0
	}
	return len(s) - len(strings.TrimLeft(s, " \t\r\n"))
}

func validLabel(s string) bool {
	for i := range len(s) {
		c := s[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			i > 0 && strings.IndexByte("-_./", c) >= 0
		if !ok {
			return false
		}
	}
	return s != "" && len(s) <= maxLabelBytes
}

// Matches tells whether an agent with these labels is chosen.
func (s Selector) Matches(labels map[string]string) bool {
	for _, t := range s {
		v, has := labels[t.Label]
		if (has && v == t.Value) == t.Not {
			return false
		}
	}
	return true
}

// Matches tells whether the selector in text chooses an agent with these labels.
func Matches(text string, labels map[string]string) (bool, error) {
	s, err := ParseSelector(text)
	if err != nil {
		return false, err
	}
	return s.Matches(labels), nil
}
