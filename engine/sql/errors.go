package sql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error is one mistake in an expression. Offset is the byte of the text where
// the culprit begins; Msg says what is wrong and what was expected.
type Error struct {
	Offset int
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

func errorf(offset int, format string, args ...any) *Error {
	return &Error{offset, fmt.Sprintf(format, args...)}
}

// Errors lists the mistakes in an error of Parse, Bind or BindAggregates, in
// the order of the text.
func Errors(err error) []*Error {
	var one *Error
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		var list []*Error
		for _, e := range many.Unwrap() {
			if errors.As(e, &one) {
				list = append(list, one)
			}
		}
		return list
	}
	if errors.As(err, &one) {
		return []*Error{one}
	}
	return nil
}

// join sorts mistakes by place and makes one error of them; nil when there are none.
func join(list []*Error) error {
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b *Error) int { return a.Offset - b.Offset })
	errs := make([]error, len(list))
	for i, e := range list {
		errs[i] = e
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// suggest ends a message about an unknown name: with the nearest known one, or
// else with what there is.
func suggest(name string, known []string) string {
	slices.Sort(known)
	best, distance := "", 1+len(name)/3
	for _, k := range known {
		if d := levenshtein(strings.ToLower(name), strings.ToLower(k)); d <= distance && (best == "" || d < distance) {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0:
		return "there are none here"
	case len(known) > 12:
		return "expected one of " + strings.Join(known[:12], ", ") + ", ..."
	}
	return "expected one of " + strings.Join(known, ", ")
}

// levenshtein is the number of characters to insert, delete or replace. Names longer
// than 64 bytes are far from everything.
func levenshtein(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
