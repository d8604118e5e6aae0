package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

var revisedSchema = batch.Schema{{Name: "id", Type: batch.Int}, {Name: "v", Type: batch.Int}, {Name: plan.Revision, Type: batch.Int}}

func intColumn(i uint32) *plan.Expr {
	return &plan.Expr{Type: uint32(batch.Int), Kind: &plan.Expr_Column{Column: i}}
}

func intCall(t batch.Type, op string, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Call{Call: &plan.Call{Op: op, Args: args}}}
}

func intLiteral(v int64) *plan.Expr {
	return &plan.Expr{Type: uint32(batch.Int), Kind: &plan.Expr_Literal{Literal: &plan.Value{Kind: &plan.Value_Int{Int: v}}}}
}

// TestRevisionsThatDropOutAreTakenBack goes through where and project after a window and without one.
func TestRevisionsThatDropOutAreTakenBack(t *testing.T) {
	// id, v, revision; the first of these rows does not count, the last two are deleted already.
	ids := []int64{9, 0, 1, 2, 3, 4, 5, 6, 7}
	values := []int64{1, 1, 1, 5, 5, 0, 0, 0, 5}
	revs := []int64{3, 1, 2, 1, 2, 1, 2, 3, 2}
	rows := func() *batch.Batch {
		b := batch.New(revisedSchema)
		b.Cols[0].Ints, b.Cols[1].Ints, b.Cols[2].Ints, b.N = ids, values, revs, len(ids)
		b.Sel = []uint32{1, 2, 3, 4, 5, 6, 7, 8}
		b.Deleted = batch.NewBitmap(b.N, false)
		b.Deleted.Set(7)
		b.Deleted.Set(8)
		return b
	}
	// 10 / v > 3 is true for 1, false for 5, and fails for 0.
	div := intCall(batch.Int, "/", intLiteral(10), intColumn(1))
	node := &plan.Where{Condition: intCall(batch.Bool, ">", div, intLiteral(3))}
	proj := &plan.Project{Columns: []*plan.Expr{intColumn(0), div, intColumn(2)}}
	for _, c := range []struct {
		name        string
		afterWindow bool
		want        string
		rejects     int
	}{
		{"where", true, "0 1 3! 5! 6! 7!", 2},
		{"where", false, "0 1 6! 7!", 2},
		{"project", true, "0 1 2 3 5! 6! 7!", 2},
		{"project", false, "0 1 2 3 6! 7!", 2},
	} {
		rejects := 0
		env := &rowEnv{reject: func(string, []byte, string) { rejects++ }}
		op, err := newWhere(node, revisedSchema, env, c.afterWindow)
		if c.name == "project" {
			op, err = newProject(proj, revisedSchema, revisedSchema, env, c.afterWindow)
		}
		if err != nil {
			t.Fatal(err)
		}
		for round := range 2 {
			rejects = 0
			in := rows()
			var got []string
			err := op.process(in, func(b *batch.Batch) error {
				for k := range b.Len() {
					r := rowAt(b, k)
					s := fmt.Sprint(b.Cols[0].Ints[r])
					if b.Deleted != nil && b.Deleted.Get(r) {
						s += "!"
					}
					got = append(got, s)
				}
				return nil
			})
			if err != nil || strings.Join(got, " ") != c.want || rejects != c.rejects {
				t.Errorf("%s, after a window %t, round %d: %q with %d rejects, %v; want %s with %d", c.name, c.afterWindow, round, got, rejects, err, c.want, c.rejects)
			}
			if in.Deleted.Get(4) || in.Deleted.Get(6) {
				t.Error("the marks of the input were changed")
			}
		}
	}
}
