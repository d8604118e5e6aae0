// Package udf_test checks the committed modules against their sources.
package udf_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/wasm"
)

// Building anew gives the committed modules: byte for byte with the same
// compilers, and in any case modules that give the same results.
func TestCommittedModulesAreTheirSources(t *testing.T) {
	for _, tool := range []string{"make", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	t.Run("c", func(t *testing.T) {
		for _, tool := range []string{"clang", "wasm-ld"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skipf("%s is not installed; Debian's packages are: apt install clang lld", tool)
			}
		}
		rebuild(t, "dewpoint-c.wasm")
	})
	t.Run("go", func(t *testing.T) { rebuild(t, "dewpoint-go.wasm") })
}

func rebuild(t *testing.T, name string) {
	t.Helper()
	dir := t.TempDir()
	fresh := filepath.Join(dir, name)
	if out, err := exec.Command("make", "OUT="+dir, fresh).CombinedOutput(); err != nil {
		t.Fatalf("make: %v\n%s", err, out)
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	t.Logf("%s differs in its bytes from what this machine's compilers make", name)
	compare(t, got, want)
}

func compare(t *testing.T, modules ...[]byte) {
	t.Helper()
	const rows = 4096
	rng := rand.New(rand.NewPCG(7, 8))
	args := []batch.Column{{Type: batch.Double}, {Type: batch.Double}}
	for range rows {
		args[0].Doubles = append(args[0].Doubles, rng.Float64()*100-40)
		args[1].Doubles = append(args[1].Doubles, rng.Float64()*110-5)
	}
	var results []batch.Column
	for _, module := range modules {
		results = append(results, run(t, module, "dewpoint", args, rows))
	}
	for i := range rows {
		a, b := &results[0], &results[1]
		if a.Null(i) != b.Null(i) || !a.Null(i) && math.Float64bits(a.Doubles[i]) != math.Float64bits(b.Doubles[i]) {
			t.Fatalf("row %d: the sources give %v, the committed module %v; run make -C examples/udf -B and commit", i, a.Doubles[i], b.Doubles[i])
		}
	}
}

func run(t *testing.T, module []byte, function string, args []batch.Column, rows int) batch.Column {
	t.Helper()
	ctx := context.Background()
	h, err := wasm.NewHost(ctx, wasm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	m, err := h.Load(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	f, err := m.Scalar(ctx, function)
	if err != nil {
		t.Fatal(err)
	}
	out := batch.Column{Type: batch.Double}
	if errs, err := f.Call(0, args, rows, &out); err != nil || len(errs) > 0 {
		t.Fatal(errs, err)
	}
	return out
}
