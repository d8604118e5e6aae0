package compile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestHostileFiles: files of the greatest size that are made to cost much are
// refused with a few mistakes, and soon.
func TestHostileFiles(t *testing.T) {
	const header = "name: x\nsource: {sim: {}, format: json, schema: {device: string, ts: timestamp_ms, temp: double}, event_time: {column: ts}}\nsinks: [stdout: {}]\n"
	fill := func(s string) string { return strings.Repeat(s, (maxFileBytes-2048)/len(s)) }
	numbered := func(format string, n int) string {
		var b strings.Builder
		for i := 0; i < n && b.Len() < maxFileBytes-4096; i++ {
			b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return b.String()
	}
	sum := "temp" + strings.Repeat(" + temp", 2000)
	for name, src := range map[string]string{
		"too large":           strings.Repeat("x", maxFileBytes+1),
		"deep flow":           fill("["),
		"deep flow maps":      fill("{a: "),
		"deep blocks":         fill("- "),
		"wide list":           header + "steps: [" + fill("x,") + "]",
		"keys":                numbered("k#: 1\n", 1<<20),
		"long key":            fill("k") + ": 1",
		"quotes":              "name: \"" + fill("\\\""),
		"comments":            fill("#\n"),
		"blank lines":         "name: |\n" + fill("\n"),
		"documents":           fill("---\n"),
		"anchors":             numbered("&a# [*a#, *a#]\n", 1<<20),
		"aliased expressions": header + "x: &e \"" + sum + "\"\nsteps: [add: {" + numbered("a#: *e, ", 5000) + "}]",
		"itself":              "name: &a\n  - *a\nsource: *a\n",
		"steps":               header + "steps:\n" + numbered("  - add: {a#: temp + 1}\n", 200),
		"adds":                header + "steps:\n  - add:\n" + numbered("      b#: 'temp'\n", 1<<20),
		"wrong expressions":   header + "steps:\n  - add:\n" + numbered("      b#: b0 + c# +\n", 1<<20),
		"columns":             "name: x\nsource: {sim: {}, format: json, schema: {" + numbered("c#: int, ", 1<<20) + "}}\nsinks: [stdout: {}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			p, err := Compile([]byte(src), Options{})
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("took %v", took)
			} else {
				t.Logf("took %v", took)
			}
			if p != nil {
				return // large, and right
			}
			var ms Mistakes
			if !errors.As(err, &ms) || len(ms) == 0 || len(ms) > maxMistakes+1 {
				t.Errorf("%d mistakes: %.200v", len(ms), err)
			}
			for _, m := range ms {
				if len(m.Error()) > 20_000 {
					t.Errorf("a mistake of %d bytes", len(m.Error()))
				}
			}
		})
	}
}
