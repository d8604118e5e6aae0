// Package cases is what `leat test` does: it runs a pipeline's own test cases in
// process and says how results differ from what was expected.
//
//	compile.Cases ── per case: compile with its parameters ── plan.Resolve with its labels
//	                                                              │
//	         rows of the case ──► source ──► local.Run ──► rows by branch ──► diff
package cases

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/agent/source/file"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/jsonl"
	"github.com/leatio/leat/internal/local"
	"github.com/leatio/leat/internal/textdiff"
)

// Config is what running a pipeline's cases needs.
type Config struct {
	Text    []byte          // of the pipeline file
	Options compile.Options // how it is compiled
	Beside  *compile.CaseFile
	Dir     string // files of cases are relative to it
	// Functions makes the functions of a plan, for one run. Nil = the plan has none.
	Functions func(p *plan.Plan) (*engine.Functions, error)
	Lookups   engine.Lookups // may be nil where the plan has none
}

// Result is how one case went.
type Result struct {
	Name     string    `json:"name"`
	File     string    `json:"file"`
	Line     int       `json:"line"`
	Passed   bool      `json:"passed"`
	Failures []Failure `json:"failures,omitempty"`
}

// Failure is one thing that was not as expected.
type Failure struct {
	What string `json:"what"`
	Line int    `json:"line"` // of the expectation
	Diff string `json:"diff,omitempty"`
}

// Run runs all cases. Mistakes in the file are the error.
func Run(ctx context.Context, cfg Config) ([]Result, error) {
	list, err := compile.Cases(cfg.Text, cfg.Options, cfg.Beside)
	if err != nil {
		return nil, err
	}
	out := make([]Result, len(list))
	for i := range list {
		out[i] = Result{Name: list[i].Name, File: list[i].File, Line: list[i].Line}
		r := runner{cfg: cfg, c: &list[i], branches: map[string]*branch{}, reasons: []string{}}
		if err := r.run(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			r.fail(list[i].Line, err.Error(), "")
		}
		out[i].Failures, out[i].Passed = r.failures, len(r.failures) == 0
	}
	return out, nil
}

type runner struct {
	cfg      Config
	c        *compile.Case
	branches map[string]*branch
	reasons  []string // of rejects, the first few
	failures []Failure
}

// branch gathers the rows of the first sink of a branch: all its sinks get the same.
type branch struct {
	sink *plan.Sink
	rows []map[string]json.RawMessage
}

func (r *runner) fail(line int, what, diff string) {
	r.failures = append(r.failures, Failure{What: what, Line: line, Diff: diff})
}

func (r *runner) run(ctx context.Context) (err error) {
	o := r.cfg.Options
	o.Params = r.c.Params
	p, err := compile.Compile(r.cfg.Text, o)
	if err != nil {
		return err
	}
	if p, err = plan.Resolve(p, r.c.Labels, nil); err != nil {
		return err
	}
	src, err := r.source(p)
	if err != nil {
		return err
	}
	var functions *engine.Functions
	if r.cfg.Functions != nil {
		if functions, err = r.cfg.Functions(p); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, functions.Close()) }()
	}
	st, err := local.Run(ctx, local.Config{
		Plan: p, Functions: functions, Lookups: r.cfg.Lookups, Source: src, Sink: r.take, Reject: r.reject,
	})
	if err != nil {
		return err
	}
	return r.compare(st)
}

// source gives the rows of the case.
func (r *runner) source(p *plan.Plan) (source.Source, error) {
	if r.c.InputFile != "" {
		path := r.path(r.c.InputFile)
		p.Source.Kind = &plan.Source_File{File: &plan.FileSource{Paths: []string{path}}}
		return file.New(file.Config{Paths: []string{path}, CSV: p.Source.Format == "csv"}, nil)
	}
	p.Source.Kind = &plan.Source_File{File: &plan.FileSource{Paths: []string{"the case"}}} // it ends
	p.Source.Format = "json"
	return newMessages(r.c.Input), nil
}

func (r *runner) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.cfg.Dir, name)
}

const shownReasons = 5

func (r *runner) reject(_ string, payload []byte, reason string) {
	if len(r.reasons) < shownReasons {
		r.reasons = append(r.reasons, fmt.Sprintf("%s: %.100s", reason, payload))
	}
}

// take gathers the rows for a sink.
func (r *runner) take(n *plan.Node, s batch.Schema, b *batch.Batch) error {
	sink := n.GetSink()
	if sink.Late {
		return nil
	}
	of := r.branches[sink.Branch]
	if of == nil {
		of = &branch{sink: sink}
		r.branches[sink.Branch] = of
	}
	if of.sink != sink {
		return nil
	}
	rows, err := readRows(jsonl.Append(nil, s, b))
	of.rows = append(of.rows, rows...)
	return err
}

// readRows reads JSON lines.
func readRows(text []byte) ([]map[string]json.RawMessage, error) {
	var out []map[string]json.RawMessage
	for i, line := range bytes.Split(text, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var row map[string]json.RawMessage
		if err := json.Unmarshal(line, &row); err != nil {
			return nil, fmt.Errorf("line %d is not a JSON object: %w", i+1, err)
		}
		out = append(out, row)
	}
	return out, nil
}

// compare tells how the run differs from what the case expects.
func (r *runner) compare(st local.Stats) error {
	for i := range r.c.Expect {
		if err := r.expected(&r.c.Expect[i]); err != nil {
			return err
		}
	}
	if st.Late != r.c.Late {
		r.fail(r.c.Line, fmt.Sprintf("%d rows were late, expected %d", st.Late, r.c.Late), "")
	}
	if st.Rejects != r.c.Rejects {
		what := fmt.Sprintf("%d rows were rejected, expected %d", st.Rejects, r.c.Rejects)
		if len(r.reasons) > 0 {
			what += ": " + strings.Join(r.reasons, "; ")
		}
		r.fail(r.c.Line, what, "")
	}
	return nil
}

func (r *runner) expected(x *compile.Expected) error {
	var got []map[string]json.RawMessage
	if b := r.branches[x.Branch]; b != nil {
		got = b.rows
	}
	name := "results"
	if x.Branch != "" {
		name = "results of " + x.Branch
	}
	rows, columns := expectedRows(x.Rows), x.Columns
	if x.File != "" {
		var err error
		if rows, columns, err = r.expectedFile(x.File, got); err != nil {
			return err
		}
	}
	want, have := make([]string, len(rows)), make([]string, len(got))
	for i, row := range rows {
		want[i] = line(columns, row)
	}
	cells := make([]map[string]string, len(got))
	for i, row := range got {
		cells[i] = map[string]string{}
		for _, c := range columns {
			cells[i][c] = "null"
			if v, ok := row[c]; ok {
				cells[i][c] = string(v)
			}
		}
		have[i] = line(columns, cells[i])
	}
	// A row says nothing about the columns that it does not name.
	equal := func(i, j int) bool {
		for c, text := range rows[i] {
			if cells[j][c] != text {
				return false
			}
		}
		return true
	}
	if d := textdiff.UnifiedFunc("expected", "got", want, have, equal); d != "" {
		r.fail(x.Line, fmt.Sprintf("the %s differ: %d rows, expected %d", name, len(have), len(want)), d)
	}
	return nil
}

// expectedRows writes the cells of rows as results are written.
func expectedRows(list []map[string]compile.Cell) []map[string]string {
	rows := make([]map[string]string, len(list))
	for i, row := range list {
		rows[i] = map[string]string{}
		for name, cell := range row {
			rows[i][name] = cellText(cell)
		}
	}
	return rows
}

func cellText(c compile.Cell) string {
	switch k := c.Value.GetKind().(type) {
	case *plan.Value_Bool:
		return strconv.FormatBool(k.Bool)
	case *plan.Value_Int:
		if c.Type == batch.Timestamp {
			return strconv.Quote(time.UnixMicro(k.Int).UTC().Format(time.RFC3339Nano))
		}
		return strconv.FormatInt(k.Int, 10)
	case *plan.Value_Double:
		return string(jsonl.AppendDouble(nil, k.Double))
	case *plan.Value_String_:
		return string(jsonl.AppendString(nil, k.String_))
	case *plan.Value_Bytes:
		return strconv.Quote(base64.StdEncoding.EncodeToString(k.Bytes))
	}
	return "null"
}

// expectedFile reads rows that name all columns.
func (r *runner) expectedFile(name string, got []map[string]json.RawMessage) (rows []map[string]string, columns []string, err error) {
	text, err := os.ReadFile(r.path(name))
	if err != nil {
		return nil, nil, err
	}
	list, err := readRows(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	columns = columnsOf(list, got)
	for _, row := range list {
		cells := map[string]string{}
		for _, c := range columns {
			cells[c] = "null"
			if v, ok := row[c]; ok {
				cells[c] = string(v)
			}
		}
		rows = append(rows, cells)
	}
	return rows, columns, nil
}

// line writes the named columns of a row.
func line(columns []string, cells map[string]string) string {
	var parts []string
	for _, c := range columns {
		if text, ok := cells[c]; ok {
			parts = append(parts, c+": "+text)
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
