package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing wrong in a pipeline file. Line and Column count from 1;
// columns count characters, as editors do.
type Mistake struct {
	File         string
	Line, Column int
	What         string // what is wrong
	Expected     string // what would be right; may be empty
}

// Error gives "file:line:column: what is wrong, expected what would be right".
func (m Mistake) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.What)
	if m.Expected != "" {
		s += ", expected " + m.Expected
	}
	return s
}

// Mistakes are all mistakes of a file in the order of their places.
type Mistakes []Mistake

// Error gives one line per mistake.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted puts the mistakes in the order of their places and takes out those
// that say the same about the same place.
func (ms Mistakes) sorted() Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.What, b.What), cmp.Compare(a.Expected, b.Expected))
	})
	return slices.Compact(ms)
}

// capped cuts a list that nobody would read to its end.
func (ms Mistakes) capped() Mistakes {
	if len(ms) <= maxMistakes {
		return ms
	}
	last := ms[maxMistakes]
	last.What, last.Expected = "further mistakes are not shown", ""
	return append(ms[:maxMistakes:maxMistakes], last)
}
