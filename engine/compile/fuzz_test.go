package compile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/leatio/leat/engine/plan"
)

// FuzzCompile: no text makes the compiler panic; what it gives is a plan that
// passes its own check and can be explained, or mistakes with places in the file.
func FuzzCompile(f *testing.F) {
	for _, pattern := range []string{"testdata/mistakes/*.yaml", "testdata/plans/*.yaml", "../../examples/*/pipeline.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal(pattern, err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := Compile(src, Options{Modules: testModules{}})
		if err != nil {
			var ms Mistakes
			if !errors.As(err, &ms) || len(ms) == 0 || p != nil {
				t.Fatalf("error %v beside plan %v", err, p)
			}
			if len(ms) > maxMistakes+1 {
				t.Fatalf("%d mistakes", len(ms))
			}
			for _, m := range ms {
				if m.Line < 1 || m.Column < 1 || m.What == "" {
					t.Fatalf("a mistake without a place or a text: %#v", m)
				}
			}
			return
		}
		raw, err := plan.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Unmarshal(raw); err != nil {
			t.Fatalf("the compiler's own plan is refused: %v", err)
		}
		if Explain(p).WithLoad(p, 1000, 100, 10).Text() == "" {
			t.Fatal("no explanation")
		}
	})
}
