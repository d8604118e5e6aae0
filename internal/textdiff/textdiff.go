// Package textdiff compares lists of lines and writes unified diffs.
package textdiff

import (
	"fmt"
	"strings"
)

// maxCompared bounds the table by which lines are matched; longer lists are
// compared line by line.
const maxCompared = 4_000_000

const contextLines = 3

// Unified is a unified diff of two lists of lines under their names; empty
// where they are equal.
func Unified(wantName, gotName string, want, got []string) string {
	return UnifiedFunc(wantName, gotName, want, got, func(i, j int) bool { return want[i] == got[j] })
}

// UnifiedFunc is Unified where equal tells which lines count as equal.
func UnifiedFunc(wantName, gotName string, want, got []string, equal func(i, j int) bool) string {
	steps := align(want, got, equal)
	changed := false
	for _, s := range steps {
		changed = changed || s.mark != ' '
	}
	if !changed {
		return ""
	}
	var b strings.Builder
	b.WriteString("--- " + wantName + "\n+++ " + gotName + "\n")
	for from := 0; from < len(steps); {
		first := from
		for first < len(steps) && steps[first].mark == ' ' {
			first++
		}
		if first == len(steps) {
			break
		}
		last := first // the last change of this hunk
		for i := first; i < len(steps) && i <= last+2*contextLines; i++ {
			if steps[i].mark != ' ' {
				last = i
			}
		}
		begin, end := max(from, first-contextLines), min(len(steps), last+contextLines+1)
		writeHunk(&b, steps[begin:end])
		from = end
	}
	return b.String()
}

// lineStep is a line that both have (' '), or only what was expected ('-') or what came ('+').
type lineStep struct {
	mark      byte
	text      string
	want, got int // lines before it
}

func writeHunk(b *strings.Builder, steps []lineStep) {
	wants, gots := 0, 0
	for _, s := range steps {
		if s.mark != '+' {
			wants++
		}
		if s.mark != '-' {
			gots++
		}
	}
	fmt.Fprintf(b, "@@ -%d,%d +%d,%d @@\n", steps[0].want+1, wants, steps[0].got+1, gots)
	for _, s := range steps {
		b.WriteByte(s.mark)
		b.WriteString(s.text + "\n")
	}
}

// align finds a longest common subsequence.
func align(want, got []string, equal func(i, j int) bool) []lineStep {
	n, m := len(want), len(got)
	var steps []lineStep
	if n*m > maxCompared {
		return inTurn(want, got, equal)
	}
	length := make([][]int32, n+1)
	for i := range length {
		length[i] = make([]int32, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if equal(i, j) {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < n || j < m; {
		switch {
		case i < n && j < m && equal(i, j):
			steps = append(steps, lineStep{' ', want[i], i, j})
			i, j = i+1, j+1
		case j == m || i < n && length[i+1][j] >= length[i][j+1]:
			steps = append(steps, lineStep{'-', want[i], i, j})
			i++
		default:
			steps = append(steps, lineStep{'+', got[j], i, j})
			j++
		}
	}
	return steps
}

// inTurn compares lines by their numbers.
func inTurn(want, got []string, equal func(i, j int) bool) []lineStep {
	var steps []lineStep
	for i := range max(len(want), len(got)) {
		if i < len(want) && i < len(got) && equal(i, i) {
			steps = append(steps, lineStep{' ', want[i], i, i})
			continue
		}
		if i < len(want) {
			steps = append(steps, lineStep{'-', want[i], i, min(i, len(got))})
		}
		if i < len(got) {
			steps = append(steps, lineStep{'+', got[i], min(i+1, len(want)), i})
		}
	}
	return steps
}
