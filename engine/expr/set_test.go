package expr

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

func TestRandomSets(t *testing.T) {
	rounds := 600
	if testing.Short() {
		rounds = 200
	}
	shares := 0
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 9))
		g := newGrower(r)
		var list []*plan.Expr
		for range 1 + r.IntN(4) {
			list = append(list, g.expr(one(r, []batch.Type{batch.Bool, batch.Int, batch.Double, batch.String, batch.Timestamp, batch.Bytes}), 1+r.IntN(4)))
		}
		s, err := CompileAll(list, randomSchema, Env{Functions: testFunctions{t}, Zones: zones})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, root := range s.roots {
			switch root.(type) {
			case *shared:
				shares++
			}
		}
		dicts := []*batch.Dict{batch.NewDict(), batch.NewDict()}
		for range 3 {
			b := randomBatch(r, one(r, []int{0, 1, 64, 65, 130}), dicts)
			if err := setSameAsOracle(s, list, b); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
	if shares < rounds/20 {
		t.Errorf("%d expressions were shared in %d sets: there should be more", shares, rounds)
	}
}

func setSameAsOracle(s *Set, list []*plan.Expr, b *batch.Batch) error {
	failed := map[int]string{}
	cols := make([]batch.Column, len(list))
	err := s.Eval(b, cols, func(row int, reason string) {
		if failed[row] != "" {
			reason = "failed twice"
		}
		failed[row] = reason
	})
	if err != nil {
		return err
	}
	rows := b.Sel
	if rows == nil {
		rows = s.run.all(nil)[:b.N]
	}
	for _, i := range rows {
		want, reason := make([]cell, len(list)), ""
		for k, e := range list {
			o := oracle{b: b, row: int(i)}
			want[k] = o.eval(e)
			if reason == "" {
				reason = o.reason
			}
		}
		if failed[int(i)] != reason {
			return fmt.Errorf("row %d fails with %q, want %q", i, failed[int(i)], reason)
		}
		for k := range list {
			if err := sameCell(&cols[k], int(i), want[k]); reason == "" && err != nil {
				return fmt.Errorf("expression %d: %w", k, err)
			}
		}
	}
	return nil
}

// counter counts the rows that it is called for.
type counter struct{ rows int }

func (c *counter) Call(_ int64, args []batch.Column, rows int, out *batch.Column) ([]RowError, error) {
	c.rows += rows
	out.Doubles = append(out.Doubles, args[0].Doubles[:rows]...)
	return nil, nil
}

type counting struct{ c *counter }

func (f counting) Scalar(string) (Scalar, error) { return f.c, nil }

// What stands twice is computed once, and only where it is needed.
func TestCommonExpressionsAreComputedOnce(t *testing.T) {
	in := batch.Schema{{Name: "x", Type: batch.Double}, {Name: "b", Type: batch.Bool}}
	f := func() *plan.Expr { return udfCall(batch.Double, firstColumn(batch.Double)) }
	flag := &plan.Expr{Type: uint32(batch.Bool), Kind: &plan.Expr_Column{Column: 1}}
	zero := &plan.Expr{Type: uint32(batch.Double), Kind: &plan.Expr_Literal{Literal: &plan.Value{Kind: &plan.Value_Double{}}}}
	positive := func() *plan.Expr { return call(">", batch.Bool, f(), zero) }
	b := &batch.Batch{N: 4, Cols: []batch.Column{{Type: batch.Double, Doubles: []float64{-1, 2, 3, -4}}, {Type: batch.Bool, Bools: []bool{true, false, true, false}}}}
	for _, tt := range []struct {
		name string
		list []*plan.Expr
		rows int
	}{
		{"twice in one", []*plan.Expr{call("+", batch.Double, f(), f())}, 4},
		{"in two", []*plan.Expr{f(), call("neg", batch.Double, f())}, 4},
		{"guarded by itself", []*plan.Expr{call("case", batch.Double, positive(), f(), call("neg", batch.Double, f()))}, 4},
		{"in branches", []*plan.Expr{call("case", batch.Double, flag, f(), call("neg", batch.Double, f()))}, 4},
		{"in one branch, twice", []*plan.Expr{call("case", batch.Double, flag, call("+", batch.Double, f(), f()))}, 2},
		{"in a branch, then everywhere", []*plan.Expr{call("case", batch.Double, flag, f()), f()}, 6},
		{"everywhere, then in a branch", []*plan.Expr{f(), call("case", batch.Double, flag, f())}, 4},
		{"right of AND, twice", []*plan.Expr{call("and", batch.Bool, flag, positive(), positive())}, 2},
	} {
		c := &counter{}
		s, err := CompileAll(tt.list, in, Env{Functions: counting{c}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			c.rows = 0
			if err := s.Eval(b, make([]batch.Column, len(tt.list)), nil); err != nil {
				t.Fatal(err)
			}
			if c.rows != tt.rows {
				t.Errorf("%s: %d rows were computed, want %d", tt.name, c.rows, tt.rows)
			}
		}
	}
}

func TestSetRefuses(t *testing.T) {
	good := firstColumn(batch.Double)
	if _, err := CompileAll([]*plan.Expr{good, call("frob", batch.Int, good)}, batch.Schema{{Name: "x", Type: batch.Double}}, Env{}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "expression 2") {
		t.Error(err)
	}
	s, err := CompileAll([]*plan.Expr{good}, batch.Schema{{Name: "x", Type: batch.Double}}, Env{})
	if err != nil {
		t.Fatal(err)
	}
	// The bound is one of each expression.
	var wide []*plan.Expr
	for range 3 {
		args := make([]*plan.Expr, MaxNodes-2)
		for i := range args {
			args[i] = good
		}
		wide = append(wide, call("coalesce", batch.Double, args...))
	}
	if _, err := CompileAll(wide, batch.Schema{{Name: "x", Type: batch.Double}}, Env{}); err != nil {
		t.Error(err)
	}
	if err := s.Eval(&batch.Batch{Cols: make([]batch.Column, 1)}, nil, nil); !errors.Is(err, ErrBatch) {
		t.Error(err)
	}
}
