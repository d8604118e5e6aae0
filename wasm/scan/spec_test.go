package scan

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
)

// The modules of the WebAssembly 2.0 specification suite, as they stand in the
// engine's own tests: the scan may refuse a valid one for its exports, imports and
// bounds, never because it lost its way in the code.
func TestSpecificationModulesAreRead(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "internal/integration_test/spectest/v2/testdata/*.wasm"))
	if err != nil || len(files) == 0 {
		t.Skip("the engine's module does not carry the specification suite")
	}
	ctx := context.Background()
	engine := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	valid := 0
	for _, name := range files {
		module, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if code, err := engine.CompileModule(ctx, module); err != nil || code.Close(ctx) != nil {
			continue
		}
		valid++
		r := rules()
		r.Exports, r.Optional, r.MaxMemoryPages, r.MaxTableEntries = nil, nil, 65536, 1<<32-1
		_, err = Scan(module, r)
		if err == nil {
			continue
		}
		for line := range strings.Lines(err.Error()) {
			line = strings.TrimSpace(line)
			switch {
			case strings.HasPrefix(line, "it imports"), strings.HasPrefix(line, "it has no memory"), strings.HasPrefix(line, "it does not export its memory"),
				strings.HasPrefix(line, `its export "memory"`), strings.Contains(line, "a module may import functions only"), strings.Contains(line, "which are not listed"),
				strings.Contains(line, "at most"), strings.Contains(line, "may be at most"):
			default:
				t.Errorf("%s: %s", filepath.Base(name), line)
			}
		}
	}
	if valid < 100 {
		t.Errorf("only %d modules of %d are valid", valid, len(files))
	}
	t.Logf("%d valid modules", valid)
}
