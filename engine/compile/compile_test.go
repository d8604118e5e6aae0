package compile

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/sql"
	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/internal/pb/pbtest"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing")

// testModules knows the function dewpoint and nothing else.
type testModules struct{}

func (testModules) Resolve(ref string) (*ModuleInfo, error) {
	if !strings.Contains(ref, "dewpoint") {
		return nil, errors.New("there is no such module")
	}
	m := &ModuleInfo{Name: "dewpoint", Version: "1.2.0", Size: 812}
	for i := range m.SHA256 {
		m.SHA256[i] = byte(i)
	}
	m.Functions = map[string]sql.Signature{"dewpoint": {Args: []batch.Type{batch.Double, batch.Double}, Result: batch.Double}}
	return m, nil
}

func options(file string) Options {
	return Options{File: filepath.Base(file), Modules: testModules{}, Lookups: testLookups{}}
}

// golden compares got with a file, or writes it with -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update writes it):\n%s", file, firstDifference(string(got), string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\n got: %s\nwant: %s", i+1, a, b)
		}
	}
	return ""
}

// TestMistakes compares all mistakes of each bad file with the lines beside it.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Compile(src, options(file))
			var ms Mistakes
			if p != nil || !errors.As(err, &ms) || len(ms) == 0 {
				t.Fatalf("plan %v, error %v; want mistakes", p, err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", []byte(ms.Error()+"\n"))
		})
	}
}

// TestPlans compares what Explain says of each good file.
func TestPlans(t *testing.T) {
	files, err := filepath.Glob("testdata/plans/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			p := compileFile(t, file)
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", []byte(Explain(p).Text()))
		})
	}
}

func compileFile(t *testing.T, file string) *plan.Plan {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(src, options(file))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestExamplePlans holds the bytes of the examples' plans, which stand for the
// format: engine/plan reads them too.
func TestExamplePlans(t *testing.T) {
	descriptors := pbtest.Load(t, "../plan/testdata/plan.binpb")
	for name, file := range map[string]string{
		"greenhouse": "../../examples/greenhouse/pipeline.yaml", "climate": "../../examples/climate/pipeline.yaml",
		"branches": "testdata/plans/branches.yaml", "cloudsteps": "testdata/plans/cloudsteps.yaml",
	} {
		p := compileFile(t, file)
		raw, err := plan.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		base := "../plan/testdata/" + name
		golden(t, base+".pb", raw)
		if strings.HasPrefix(file, "../../examples") {
			golden(t, "testdata/plans/example_"+name+".txt", []byte(Explain(p).Text()))
		}
		if *update {
			golden(t, base+".textproto", descriptors.Text(t, p))
		}
		text, err := os.ReadFile(base + ".textproto")
		if err != nil {
			t.Fatal(err)
		}
		var fromText plan.Plan
		descriptors.FromText(t, text, &fromText)
		if !pb.Equal(p, &fromText) {
			t.Errorf("%s.textproto is not the plan", base)
		}
		back, err := plan.Unmarshal(raw)
		if err != nil || !pb.Equal(p, back) {
			t.Errorf("%s: the plan does not come back from its bytes: %v", name, err)
		}
	}
}

// testLookups knows the table of sites.
type testLookups struct{}

func (testLookups) Reference(ref LookupRef) (*LookupInfo, error) {
	if ref.File != "sites.csv" && ref.Table != "sites" {
		return nil, errors.New("there is no such table")
	}
	return &LookupInfo{Size: 77, SHA256: [32]byte{1, 2, 3}}, nil
}
