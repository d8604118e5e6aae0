package sql

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the examples, wherever the test runs

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/zone"
)

// page is the reference of expressions; every `x` is `y` in it is an example.
const page = "../../docs/reference/expressions.md"

var example = regexp.MustCompile("`([^`]+)` is `([^`]*)`")

func examplesOf(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, differences, found := strings.Cut(string(text), "\n## Differences from PostgreSQL\n")
	if !found {
		t.Fatalf("%s has no section of differences", page)
	}
	for line := range strings.SplitSeq(differences, "\n") { // what Leat makes of them, in the first example
		if m := example.FindString(line); m != "" {
			before += "\n" + m
		}
	}
	var out []string
	for _, m := range example.FindAllStringSubmatch(strings.ReplaceAll(before, `\|`, "|"), -1) {
		if !slices.Contains([]string{"device", "temp", "n", "ts"}, m[1]) {
			out = append(out, m[1], m[2])
		}
	}
	return out
}

// docZones are the zones of the examples.
type docZones struct {
	t     *testing.T
	rules map[string]*zone.Zone
}

func (z docZones) Zone(name string) error {
	l, err := time.LoadLocation(name)
	if err != nil {
		return err
	}
	z.rules[name], err = zone.New(zone.Rules(l, time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)))
	return err
}

func (z docZones) ZoneParam(string) error { return nil }

func TestExamplesOfTheReference(t *testing.T) {
	in := batch.Schema{{Name: "device", Type: batch.String}, {Name: "temp", Type: batch.Double}, {Name: "n", Type: batch.Int}, {Name: "ts", Type: batch.Timestamp}}
	b := batch.New(in)
	b.N = 1
	b.Cols[0].Dict = batch.NewDict()
	b.Cols[0].Codes = []uint32{b.Cols[0].Dict.CodeString("dev-7")}
	b.Cols[1].Doubles, b.Cols[2].Ints = []float64{21.5}, []int64{42}
	b.Cols[3].Ints = []int64{time.Date(2026, 7, 1, 12, 34, 56, 789e6, time.UTC).UnixMicro()}
	examples := examplesOf(t)
	for i := 0; i < len(examples); i += 2 {
		text, want := examples[i], examples[i+1]
		got := evaluate(t, text, in, b)
		if got != want && !(want == "error" && strings.HasPrefix(got, "error")) {
			t.Errorf("%s is %s, the page says %s", text, got, want)
		}
	}
	all := strings.ToLower(strings.Join(examples, "\n"))
	words := slices.Clone(functions)
	for word := range infixOperators {
		words = append(words, " "+word+" ")
	}
	words = append(words, "and", "or", "not", "like", "escape", "in (", "between", "is null", "is not null", "case when", "case n", "cast(", "::", "at time zone", "-temp")
	for _, w := range words {
		if !strings.Contains(all, w) {
			t.Errorf("%s has no example of %s", page, strings.TrimSpace(w))
		}
	}
}

// evaluate gives the value as text, null, or error and the reason.
func evaluate(t *testing.T, text string, in batch.Schema, b *batch.Batch) string {
	t.Helper()
	z := docZones{t, map[string]*zone.Zone{}}
	e, err := Bind("CAST(("+text+") AS string)", Scope{Columns: in, Zones: z})
	if err != nil {
		return "error: " + err.Error()
	}
	p, err := expr.Compile(e, in, expr.Env{Zones: z.rules})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	failure := ""
	c, err := p.Eval(b, func(_ int, reason string) { failure = "error: " + reason })
	switch {
	case err != nil:
		t.Fatalf("%s: %v", text, err)
	case failure != "":
		return failure
	case c.Null(0):
		return "null"
	}
	return c.Str(0)
}
