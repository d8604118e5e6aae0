// Package field names the fields of a config that hold a wrong value, all of
// them at once, by the keys under which users write them. internal/config adds
// the place in the file.
package field

import (
	"fmt"
	"strings"
)

// Mistake is one field with a wrong value.
type Mistake struct {
	Key  string // as in the file, levels joined by dots: query.rows
	Text string // what is wrong and what is expected
}

// Error gives the mistake.
func (m Mistake) Error() string { return m.Key + ": " + m.Text }

// Mistakes are all fields of a config that hold wrong values.
type Mistakes []Mistake

// Add notes a mistake.
func (ms *Mistakes) Add(key, format string, args ...any) {
	*ms = append(*ms, Mistake{key, fmt.Sprintf(format, args...)})
}

// Check notes a mistake unless ok holds.
func (ms *Mistakes) Check(ok bool, key, format string, args ...any) {
	if !ok {
		ms.Add(key, format, args...)
	}
}

// Err gives the mistakes as an error, or nil when there are none.
func (ms Mistakes) Err() error {
	if len(ms) == 0 {
		return nil
	}
	return ms
}

// Error gives a line for each mistake.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}
