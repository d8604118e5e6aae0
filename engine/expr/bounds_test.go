package expr

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

func call(op string, t batch.Type, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Call{Call: &plan.Call{Op: op, Args: args}}}
}

func firstColumn(t batch.Type) *plan.Expr {
	return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Column{Column: 0}}
}

func compileOver(t *testing.T, e *plan.Expr, in batch.Type) *Program {
	t.Helper()
	p, err := Compile(e, batch.Schema{{Name: "x", Type: in}}, Env{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMemoIsBounded(t *testing.T) {
	p := compileOver(t, call("upper", batch.String, firstColumn(batch.String)), batch.String)
	d := batch.NewDict()
	b := &batch.Batch{N: maxMemo + 5000, Cols: []batch.Column{{Type: batch.String, Dict: d}}}
	for i := range b.N {
		b.Cols[0].Codes = append(b.Cols[0].Codes, d.CodeString("v"+strconv.Itoa(i)))
	}
	for range 2 {
		col, err := p.Eval(b, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.N {
			if got, want := col.Str(i), "V"+strconv.Itoa(i); got != want {
				t.Fatalf("row %d is %s, want %s", i, got, want)
			}
		}
	}
	m := p.root.(*textNode).memo
	if len(m.state) != maxMemo || len(m.value) != maxMemo {
		t.Errorf("the memo knows %d codes, at most %d are allowed", len(m.state), maxMemo)
	}
}

func TestWornDictIsReplaced(t *testing.T) {
	// Two string operations, so that results of the one are remembered by the other.
	p := compileOver(t, call("lower", batch.String, call("cast", batch.String, firstColumn(batch.Int))), batch.Int)
	b := &batch.Batch{N: 4096, Cols: []batch.Column{{Type: batch.Int, Ints: make([]int64, 4096)}}}
	var dicts []*batch.Dict
	for n := int64(0); n < batch.MaxDictEntries*3/4; n += int64(b.N) {
		for i := range b.Cols[0].Ints {
			b.Cols[0].Ints[i] = n + int64(i)
		}
		col, err := p.Eval(b, func(row int, reason string) { t.Fatalf("row %d: %s", row, reason) })
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{0, 17, 4095} {
			if got, want := col.Str(i), strconv.FormatInt(n+int64(i), 10); got != want {
				t.Fatalf("row %d is %s, want %s", i, got, want)
			}
		}
		if len(dicts) == 0 || dicts[len(dicts)-1] != col.Dict {
			dicts = append(dicts, col.Dict)
		}
	}
	if len(dicts) != 2 || dicts[0].Len() < batch.MaxDictEntries/2 || dicts[0].Full() {
		t.Errorf("%d dictionaries, want 2; the first has %d strings", len(dicts), dicts[0].Len())
	}
}

// Strings beyond the dictionary's bound fail their rows, in every operation that makes strings.
func TestFullDictFailsRows(t *testing.T) {
	long := strings.Repeat("a", MaxString-20)
	concat := call("||", batch.String, &plan.Expr{Type: uint32(batch.String), Kind: &plan.Expr_Literal{Literal: &plan.Value{Kind: &plan.Value_String_{String_: long}}}},
		call("cast", batch.String, firstColumn(batch.Int)))
	p := compileOver(t, concat, batch.Int)
	b := &batch.Batch{N: 100, Cols: []batch.Column{{Type: batch.Int}}}
	for i := range b.N {
		b.Cols[0].Ints = append(b.Cols[0].Ints, int64(i))
	}
	for range 2 {
		failed := 0
		col, err := p.Eval(b, func(row int, reason string) {
			failed++
			if reason != reasonStringsFull {
				t.Errorf("row %d: %s", row, reason)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if failed < 30 || failed > 40 {
			t.Errorf("%d of 100 rows of 1 MiB failed, 64 MiB are allowed", failed)
		}
		if got := col.Dict.SizeBytes(); got > batch.MaxDictBytes+2*MaxString {
			t.Errorf("the dictionary holds %d bytes", got)
		}
	}
}

func TestTruncationBelowTheFirstTimestamp(t *testing.T) {
	for _, unit := range truncUnits {
		e := call("date_trunc", batch.Timestamp, grower{}.text(unit), firstColumn(batch.Timestamp))
		p := compileOver(t, e, batch.Timestamp)
		b := &batch.Batch{N: 3, Cols: []batch.Column{{Type: batch.Timestamp, Ints: []int64{math.MinInt64, math.MaxInt64, 0}}}}
		var failed []int
		col, err := p.Eval(b, func(row int, reason string) {
			if reason != reasonTimestamp {
				t.Errorf("%s: %s", unit, reason)
			}
			failed = append(failed, row)
		})
		if err != nil || len(failed) != 1 || failed[0] != 0 || !col.Null(0) {
			t.Errorf("%s: rows %v failed, want [0] (%v)", unit, failed, err)
		}
		if v := col.Ints[1]; v < math.MaxInt64-timestampMargin {
			t.Errorf("%s: the last timestamp becomes %d", unit, v)
		}
	}
}

func TestTimestampText(t *testing.T) {
	for _, tt := range []struct {
		micros int64
		text   string
	}{
		{0, "1970-01-01 00:00:00+00"}, {-1, "1969-12-31 23:59:59.999999+00"}, {951782400000000, "2000-02-29 00:00:00+00"},
		{253402300799999999, "9999-12-31 23:59:59.999999+00"}, {-62167219200000000, "0001-01-01 00:00:00+00 BC"}, {253402300800000000, "10000-01-01 00:00:00+00"},
	} {
		if got := string(appendTimestamp(nil, tt.micros, false)); got != tt.text {
			t.Errorf("%d is written %s, want %s", tt.micros, got, tt.text)
		}
		if got, err := ParseTimestamp(tt.text); err != nil || got != tt.micros {
			t.Errorf("%s is read %d (%v), want %d", tt.text, got, err, tt.micros)
		}
	}
	for _, bad := range []string{"", "2026", "2026-1-1", "2026-01-01T", "2026-01-01 25:00", "2026-01-01 24:00:01", "2026-01-01 12:60", "2026-01-01 12:00:00.", "2026-01-01 12:00+", "2026-01-01 12:00Zx", "2026-01-01 12:00+16", "0000-01-01", "0000-01-01 BC", "2026-01-01 12:00+01:0", "999999-01-01", "20x6-01-01"} {
		if v, err := ParseTimestamp(bad); err == nil {
			t.Errorf("%q is read %d, want an error", bad, v)
		}
	}
}
