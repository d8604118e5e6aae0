package local_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/leatio/leat/agent/source/file"
	"github.com/leatio/leat/agent/source/sim"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/internal/local"
	"github.com/leatio/leat/internal/modules"
	"github.com/leatio/leat/wasm"
)

const udfFile = `
name: u
source:
  file: {path: "-"}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double, humidity: double}
  event_time: {column: ts}
udfs: [%q]
steps:
  - add: {y: %q}
sinks:
  - stdout: {}
`

// runUDF runs rows through a function of a module on disk.
func runUDF(t *testing.T, module, call, rows string) (out string, rejects []string, err error) {
	t.Helper()
	host, err := wasm.NewHost(t.Context(), wasm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := host.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	disk := modules.NewDisk(t.Context(), host, ".")
	p, err := compile.Compile(fmt.Appendf(nil, udfFile, module, call), compile.Options{File: "u.yaml", Modules: disk, PipelineID: "u", Version: 1})
	if err != nil {
		return "", nil, err
	}
	functions, err := engine.NewFunctions(t.Context(), host, p, disk.Load)
	if err != nil {
		return "", nil, err
	}
	src, err := file.New(file.Config{Paths: []string{file.Stdin}, Stdin: strings.NewReader(rows)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	_, err = local.Run(t.Context(), local.Config{Plan: p, Functions: functions, Source: src, Stdout: &b, Reject: func(_ string, payload []byte, reason string) {
		rejects = append(rejects, fmt.Sprintf("%s: %s", reason, payload))
	}})
	if cerr := functions.Close(); cerr != nil {
		t.Error(cerr)
	}
	return b.String(), rejects, err
}

func TestFunctionsInCAndGoGiveEqualResults(t *testing.T) {
	gen := sim.NewClimate(5, 50)
	var rows []byte
	for i := range 20_000 {
		r := gen.Next()
		if i%400 == 0 {
			r.HumidTenths = -10 // has no dew point
		}
		rows = append(r.AppendJSON(rows), '\n')
	}
	var results []string
	for _, lang := range []string{"c", "go"} {
		out, rejects, err := runUDF(t, "../../examples/udf/dewpoint-"+lang+".wasm", "dewpoint(temp, humidity)", string(rows))
		if err != nil || len(rejects) > 0 {
			t.Fatalf("%s: %v, rejects %.3q", lang, err, rejects)
		}
		if n := strings.Count(out, "\n"); n != 20_000 {
			t.Fatalf("%s: %d rows came out", lang, n)
		}
		results = append(results, out)
	}
	if results[0] != results[1] {
		t.Error("the function in C and the function in Go give different results")
	}
	if !strings.Contains(results[0], `"y":null`) || !strings.Contains(results[0], `"y":9.`) {
		t.Error("the rows hold neither nulls nor dew points: the test is too tame")
	}
}

// A trap costs the rows that trap, and no others.
func TestOnlyRowsThatTrapAreRejected(t *testing.T) {
	var rows strings.Builder
	for i := range 5000 {
		temp := float64(i) / 10
		if i == 17 || i == 4444 {
			temp = -1
		}
		fmt.Fprintf(&rows, `{"device":"d%d","ts":%d,"temp":%g}`+"\n", i, 1_700_000_000_000+i, temp)
	}
	out, rejects, err := runUDF(t, "testdata/fragile.wasm", "fragile(temp)", rows.String())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out, "\n"); n != 4998 {
		t.Errorf("%d rows came out, want 4998", n)
	}
	if strings.Contains(out, `"device":"d17"`) || strings.Contains(out, `"device":"d4444"`) || !strings.Contains(out, `"device":"d18"`) {
		t.Error("the wrong rows were rejected")
	}
	if len(rejects) != 2 || !strings.Contains(rejects[0], "fragile") || !strings.Contains(rejects[0], "unreachable") || !strings.Contains(rejects[0], `"d17"`) {
		t.Errorf("rejects %q, want the rows d17 and d4444 with the function and its trap", rejects)
	}
}

func TestModuleWithoutExportsIsRefusedByName(t *testing.T) {
	_, _, err := runUDF(t, "testdata/empty.wasm", "f(temp)", "")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"u.yaml:8:", "empty.wasm", "leat_abi_v1", "leat_call", "memory"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}
