package workload

import (
	"bytes"
	"strings"
	"testing"

	"github.com/leatio/leat/agent"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/internal/local"
)

// TestResults runs every query over a few rows.
func TestResults(t *testing.T) {
	rows := map[string]int{"uc1": 5000, "uc2": 130_000, "uc3": 9600}
	for _, w := range All() {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			n := rows[w.Name]
			if n == 0 {
				n = 120_000 // twelve seconds
			}
			var input, out bytes.Buffer
			if err := w.Rows(&input, n); err != nil {
				t.Fatal(err)
			}
			want, err := w.Oracle(input.Bytes())
			if err != nil || len(want) < 2 {
				t.Fatalf("the oracle gives %d lines, %v", len(want), err)
			}
			text, err := w.Pipeline()
			if err != nil {
				t.Fatal(err)
			}
			p, err := compile.Compile([]byte(text), compile.Options{File: w.Name + ".yaml", PipelineID: w.Name, Version: 1})
			if err != nil {
				t.Fatal(err)
			}
			src, err := agent.OpenSource(p, agent.SourceOptions{Stdin: &input})
			if err != nil {
				t.Fatal(err)
			}
			st, err := local.Run(t.Context(), local.Config{Plan: p, Source: src, Stdout: &out})
			if err != nil || st.Rejects > 0 || st.Late > 0 || st.Rows != int64(n) {
				t.Fatalf("%+v, %v", st, err)
			}
			got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Fatalf("%d lines, the oracle has %d; line %d:\n got %s\nwant %s", len(got), len(want), i+1, at(got, i), at(want, i))
				}
			}
		})
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}
