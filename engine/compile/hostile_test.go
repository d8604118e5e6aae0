package compile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestHostileFiles: large files that are made to cost much are
// refused with a few mistakes, and soon.
func TestHostileFiles(t *testing.T) {
	const header = "name: x\nsource: {sim: {}, format: json, schema: {device: string, ts: timestamp_ms, temp: double}, event_time: {column: ts}}\nsinks: [stdout: {}]\n"
	const size = maxFileBytes / 4 // so that the race detector can keep up
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	numbered := func(format string, n int) string {
		var b strings.Builder
		for i := 0; i < n && b.Len() < size; i++ {
			b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return b.String()
	}
	sum := "temp" + strings.Repeat(" + temp", 2000)
	for name, src := range map[string]string{ // name, after a colon what is told
		"too large: at most 1048576": strings.Repeat("x", maxFileBytes+1),
		"deep flow":                  fill("["),
		"deep flow maps":             fill("{a: "),
		"deep blocks":                fill("- "),
		"wide list: further mistakes are not shown": header + "steps: [" + fill("x,") + "]",
		"keys":                                numbered("k#: 1\n", 1<<20),
		"long key":                            fill("k") + ": 1",
		"quotes":                              "name: \"" + fill("\\\""),
		"comments":                            fill("#\n"),
		"blank lines":                         "name: |\n" + fill("\n"),
		"documents":                           fill("---\n"),
		"anchors":                             numbered("&a# [*a#, *a#]\n", 1<<20),
		"aliased expressions: holds too much": header + "x: &e \"" + sum + "\"\nsteps: [add: {" + numbered("a#: *e, ", 5000) + "}]",
		"itself":                              "name: &a\n  - *a\nsource: *a\n",
		"steps":                               header + "steps:\n" + numbered("  - add: {a#: temp + 1}\n", 200),
		"adds: too many columns":              header + "steps:\n  - add:\n" + numbered("      b#: 'temp'\n", 1<<20),
		"wrong expressions: further mistakes are not shown": header + "steps:\n  - add:\n" + numbered("      b#: b0 + c# +\n", 1<<20),
		"columns: at most 1000":                             "name: x\nsource: {sim: {}, format: json, schema: {" + numbered("c#: int, ", 1<<20) + "}}\nsinks: [stdout: {}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			p, err := Compile([]byte(src), Options{})
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("took %v", took)
			} else {
				t.Logf("took %v", took)
			}
			if p != nil && !strings.Contains(name, ": ") {
				return // large, and right
			}
			var ms Mistakes
			if !errors.As(err, &ms) || len(ms) == 0 || len(ms) > maxMistakes+1 {
				t.Errorf("%d mistakes: %.200v", len(ms), err)
			}
			if _, want, told := strings.Cut(name, ": "); told && !strings.Contains(err.Error(), want) {
				t.Errorf("%.300v; want one that holds %q", err, want)
			}
			for _, m := range ms {
				if len(m.Error()) > 20_000 {
					t.Errorf("a mistake of %d bytes", len(m.Error()))
				}
			}
		})
	}
}
