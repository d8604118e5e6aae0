package expr

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// scripted is a function that notes its call and answers what a test says.
type scripted struct {
	eventTime int64
	rows      int
	args      []batch.Column
	answer    func(rows int, out *batch.Column) ([]RowError, error)
}

func (s *scripted) Call(eventTime int64, args []batch.Column, rows int, out *batch.Column) ([]RowError, error) {
	s.eventTime, s.rows = eventTime, rows
	s.args = slices.Clone(args)
	return s.answer(rows, out)
}

func (s *scripted) Scalar(string) (Scalar, error) { return s, nil }

func udfCall(t batch.Type, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Call{Call: &plan.Call{Op: "udf:f", Args: args}}}
}

func TestUDFSeesSelectedRowsWithoutGaps(t *testing.T) {
	in := batch.Schema{{Name: "x", Type: batch.Double}, {Name: "s", Type: batch.String}, {Name: "y", Type: batch.Bytes}}
	arg := func(i int) *plan.Expr {
		return &plan.Expr{Type: uint32(in[i].Type), Kind: &plan.Expr_Column{Column: uint32(i)}}
	}
	otherNaN := math.Float64frombits(0xFFF8000000000123)
	f := &scripted{answer: func(rows int, out *batch.Column) ([]RowError, error) {
		for i := range rows {
			out.Doubles = append(out.Doubles, float64(i))
		}
		out.Doubles[0] = otherNaN
		return []RowError{{Row: rows - 1, Reason: "no"}}, nil
	}}
	p, err := Compile(udfCall(batch.Double, arg(0), arg(1), arg(2)), in, Env{Functions: f})
	if err != nil {
		t.Fatal(err)
	}
	p.SetEventTime(42)
	b := batch.New(in)
	b.N = 5
	d := batch.NewDict()
	b.Cols[1].Dict = d
	for i := range 5 {
		b.Cols[0].Doubles = append(b.Cols[0].Doubles, float64(10*i))
		b.Cols[1].Codes = append(b.Cols[1].Codes, d.CodeString(strings.Repeat("x", i)))
		b.Cols[2].AppendBlob([]byte{byte(i)})
	}
	b.Cols[0].Valid = batch.Bitmap{0b10111}
	// First all rows, then some: the batch's own memory must not be written to.
	for _, sel := range [][]uint32{nil, {1, 3, 4}, nil, {0}} {
		b.Sel = sel
		rows := sel
		if rows == nil {
			rows = []uint32{0, 1, 2, 3, 4}
		}
		failed := []int{}
		col, err := p.Eval(b, func(row int, _ string) { failed = append(failed, row) })
		if err != nil {
			t.Fatal(err)
		}
		if f.rows != len(rows) || f.eventTime != 42 {
			t.Errorf("%v: called with %d rows at %d", sel, f.rows, f.eventTime)
		}
		for k, i := range rows {
			if got, want := f.args[0].Null(k), i == 3; got != want {
				t.Errorf("%v: argument %d null %v", sel, k, got)
			}
			if f.args[0].Doubles[k] != float64(10*i) || f.args[1].Str(k) != strings.Repeat("x", int(i)) || f.args[2].Blob(k)[0] != byte(i) {
				t.Errorf("%v: argument %d is not row %d", sel, k, i)
			}
			if last := k == len(rows)-1; col.Null(int(i)) != last {
				t.Errorf("%v: row %d null %v", sel, i, !last)
			} else if k > 0 && !last && col.Doubles[i] != float64(k) {
				t.Errorf("%v: row %d is %v, want %d", sel, i, col.Doubles[i], k)
			}
		}
		if len(rows) > 1 && math.Float64bits(col.Doubles[rows[0]]) != math.Float64bits(batch.CanonicalNaN) {
			t.Errorf("%v: NaN is %x", sel, math.Float64bits(col.Doubles[rows[0]]))
		}
		if want := int(rows[len(rows)-1]); !slices.Equal(failed, []int{want}) {
			t.Errorf("%v: rows %v failed, want %d", sel, failed, want)
		}
	}
	f.rows = -1
	b.Sel = []uint32{}
	if _, err := p.Eval(b, nil); err != nil || f.rows != -1 {
		t.Errorf("called for no rows: %d, %v", f.rows, err)
	}
}

func TestUDFOfEveryType(t *testing.T) {
	for typ := batch.Bool; typ <= batch.Timestamp; typ++ {
		f := &scripted{answer: func(rows int, out *batch.Column) ([]RowError, error) {
			src := batch.Column{Type: typ, Bools: []bool{true}, Ints: []int64{7}, Doubles: []float64{7}, Codes: []uint32{0}, Dict: batch.NewDict(), Offsets: []uint32{0, 1}, Data: []byte{7}}
			src.Dict.CodeString("seven")
			for i := range rows {
				if i == 1 {
					out.AppendNull()
				} else {
					out.AppendFrom(&src, 0)
				}
			}
			return nil, nil
		}}
		p, err := Compile(udfCall(typ), nil, Env{Functions: f})
		if err != nil {
			t.Fatal(err)
		}
		for _, sel := range [][]uint32{nil, {2, 5, 6}} {
			col, err := p.Eval(&batch.Batch{N: 8, Sel: sel}, nil)
			if err != nil {
				t.Fatal(err)
			}
			rows := p.run.all(sel)
			for k, i := range rows {
				want := cell{null: k == 1, b: true, i: 7, d: 7, s: "seven", p: []byte{7}}
				if err := sameCell(col, int(i), want); err != nil {
					t.Errorf("%s, %v: %v", typ, sel, err)
				}
			}
		}
	}
}

func TestUnusableUDF(t *testing.T) {
	errBroken := errors.New("broken")
	tests := []struct {
		name   string
		answer func(rows int, out *batch.Column) ([]RowError, error)
		want   error
	}{
		{"error", func(int, *batch.Column) ([]RowError, error) { return nil, errBroken }, errBroken},
		{"too few", func(_ int, out *batch.Column) ([]RowError, error) { out.Ints = []int64{1}; return nil, nil }, ErrScalar},
		{"type", func(rows int, out *batch.Column) ([]RowError, error) {
			out.Type = batch.Timestamp
			out.Ints = make([]int64, rows)
			return nil, nil
		}, ErrScalar},
		{"row", func(rows int, out *batch.Column) ([]RowError, error) {
			out.Ints = make([]int64, rows)
			return []RowError{{Row: rows}}, nil
		}, ErrScalar},
		{"nulls", func(rows int, out *batch.Column) ([]RowError, error) {
			out.Ints, out.Valid = make([]int64, rows), batch.Bitmap{}
			return nil, nil
		}, ErrScalar},
	}
	for _, tt := range tests {
		f := &scripted{answer: tt.answer}
		e := &plan.Expr{Type: uint32(batch.Int), Kind: &plan.Expr_Call{Call: &plan.Call{Op: "neg", Args: []*plan.Expr{udfCall(batch.Int)}}}}
		p, err := Compile(e, nil, Env{Functions: f})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Eval(&batch.Batch{N: 3}, nil); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), "function f") {
			t.Errorf("%s: %v", tt.name, err)
		}
		// The next batch starts anew.
		f.answer = func(rows int, out *batch.Column) ([]RowError, error) {
			out.Ints = make([]int64, rows)
			return nil, nil
		}
		if _, err := p.Eval(&batch.Batch{N: 3}, nil); err != nil {
			t.Errorf("%s, then: %v", tt.name, err)
		}
	}
}

// Found by fuzzing: a plan called a function without its argument.
func TestUDFArgumentsAreChecked(t *testing.T) {
	in := batch.Schema{{Name: "x", Type: batch.Double}, {Name: "i", Type: batch.Int}}
	x := &plan.Expr{Type: uint32(batch.Double), Kind: &plan.Expr_Column{}}
	i := &plan.Expr{Type: uint32(batch.Int), Kind: &plan.Expr_Column{Column: 1}}
	halve := func(t batch.Type, args ...*plan.Expr) *plan.Expr {
		e := udfCall(t, args...)
		e.GetCall().Op = "udf:half"
		return e
	}
	if _, err := Compile(halve(batch.Double, x), in, Env{Functions: testFunctions{t}}); err != nil {
		t.Error(err)
	}
	for _, e := range []*plan.Expr{halve(batch.Double), halve(batch.Double, i), halve(batch.Double, x, x), halve(batch.Int, x)} {
		if _, err := Compile(e, in, Env{Functions: testFunctions{t}}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "takes [double] and gives double") {
			t.Errorf("%v: %v", e, err)
		}
	}
	e := halve(batch.Double, x)
	e.GetCall().Op = "udf:none"
	if _, err := Compile(e, in, Env{Functions: testFunctions{t}}); !errors.Is(err, errNoFunction) {
		t.Error(err)
	}
}
