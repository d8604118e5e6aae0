package arm64

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// suites are the tests whose results must be the same bytes everywhere.
// The fleet's tables are compared with an oracle whose sums are exact on any machine.
var suites = []struct {
	pkg, run, passed string
	flags            []string
}{
	{"aggregate", "TestGolden|TestKnownValues|TestVarianceOfManyRowsIsExact|TestQuantilesAreWithinTheirError", "TestGolden", nil},
	{"transport/wire/columnar", "TestGolden", "TestGolden", nil},
	{"test/simengine", "TestFleet", "TestFleet", []string{"-seeds", "40"}},
}

func crossCompile(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	return cmd
}

func TestResultsAreTheSameBytes(t *testing.T) {
	var emulator []string
	if runtime.GOARCH != "arm64" {
		qemu, err := exec.LookPath("qemu-aarch64-static")
		if err != nil {
			t.Skip("no qemu-aarch64-static: make deps installs it")
		}
		emulator = []string{qemu}
	}
	for _, s := range suites {
		t.Run(s.pkg, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "test")
			if out, err := crossCompile(t, "test", "-c", "-o", program, "./"+s.pkg).CombinedOutput(); err != nil {
				t.Fatalf("go test -c: %v\n%s", err, out)
			}
			command := append(append(emulator, program, "-test.run", s.run, "-test.v"), s.flags...)
			cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
			cmd.Dir = filepath.Join(root, s.pkg)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !strings.Contains(string(out), "--- PASS: "+s.passed) {
				t.Errorf("%s did not run:\n%s", s.passed, out)
			}
		})
	}
}

// fused matches the instructions that multiply and add with one rounding.
var fused = regexp.MustCompile(`(?m)^.*\((\S+):(\d+)\)\s+FN?M(?:ADD|SUB)[DS]\s.*$`)

// Go may fuse x*y + z on arm64, which amd64 does not: every product has to be converted, as in float64(x*y) + z.
func TestNoKernelIsFused(t *testing.T) {
	for _, pkg := range []string{"aggregate", "engine/expr", "engine/window", "transport/wire/columnar"} {
		out, err := crossCompile(t, "build", "-gcflags=-S", "./"+pkg).CombinedOutput()
		if err != nil {
			t.Fatalf("go build %s: %v\n%s", pkg, err, out)
		}
		if !strings.Contains(string(out), "TEXT") {
			t.Fatalf("go build %s printed no assembly", pkg)
		}
		for _, m := range fused.FindAllStringSubmatch(string(out), 100) {
			if !strings.Contains(sourceLine(t, m[1], m[2]), "math.FMA(") { // which is meant, and the same everywhere
				t.Errorf("%s: %s", pkg, strings.TrimSpace(m[0]))
			}
		}
	}
}

func sourceLine(t *testing.T, file, line string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")[n-1]
}

func TestFusedInstructionsAreFound(t *testing.T) {
	for line, want := range map[string]bool{
		"\t0x0010 00016 (/x.go:3)\tFMADDD\tF0, F2, F1, F0": true, "\t0x0010 00016 (/x.go:3)\tFNMSUBD\tF0, F2, F1, F0": true,
		"\t0x0010 00016 (/x.go:3)\tFADDD\tF0, F2, F1": false, "\t0x0010 00016 (/x.go:3)\tMADD\tR0, R2, R1, R0": false,
	} {
		if fused.MatchString(line) != want {
			t.Errorf("%q: found %v", line, !want)
		}
	}
}
