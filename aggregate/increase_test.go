package aggregate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// Beyond the bound, rows and parts in order of time still count exactly; in any other order
// the result is at most too small, and memory stays bounded.
func TestIncreaseBeyondItsBound(t *testing.T) {
	spec := Spec{Kind: Increase, In: batch.Int}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 77))
		var rows []obs
		v := int64(0)
		for i := range 30_000 {
			if v += int64(r.IntN(5)); r.IntN(1000) == 0 {
				v = int64(r.IntN(3))
			}
			rows = append(rows, obs{at: int64(i / 2), v: v}) // two rows at a time, of which one may be before a reset
		}
		rise, _ := oracleIncrease(batch.Int, rows)
		want := rise.(int64)
		var parts []Accumulator
		for chunk := range slices.Chunk(rows, 10_000) {
			n := newNode(t, []Spec{spec}, batch.Int, 1)
			n.add(r, chunk, make([]uint32, len(chunk)))
			parts = append(parts, n.accs[0])
		}
		merge := func(order ...int) int64 {
			a, err := New(spec)
			if err != nil {
				t.Fatal(err)
			}
			a.Grow(1)
			for _, i := range order {
				n := &node{specs: []Spec{spec}, accs: []Accumulator{parts[i]}}
				a.Merge([]uint32{0}, n.state(t, 0, []uint32{0}), nil)
			}
			if size := a.SizeBytes(); size > 16*2*maxPoints+1000 {
				t.Errorf("one slot takes %d bytes", size)
			}
			return result(t, "increase", 0, a, batch.Int).(int64)
		}
		if got := merge(0, 1, 2); got != want {
			t.Errorf("seed %d: parts in order rise by %d, want %d", seed, got, want)
		}
		if got := merge(2, 0, 1); got > want {
			t.Errorf("seed %d: parts out of order rise by %d, more than %d", seed, got, want)
		}
		if got := merge(1, 1, 0, 0); got > want {
			t.Errorf("seed %d: parts twice rise by %d, more than %d", seed, got, want)
		}
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		n := newNode(t, []Spec{spec}, batch.Int, 1)
		n.add(r, rows, make([]uint32, len(rows)))
		if got := result(t, "increase", 0, n.accs[0], batch.Int).(int64); got > want {
			t.Errorf("seed %d: shuffled rows rise by %d, more than %d", seed, got, want)
		}
	}
}

func TestIncreaseOfKnownRows(t *testing.T) {
	for _, c := range []struct {
		rows []obs
		want any
	}{
		{[]obs{{1, int64(5)}}, int64(0)},
		{[]obs{{1, int64(5)}, {2, int64(9)}}, int64(4)},
		{[]obs{{2, int64(9)}, {1, int64(5)}}, int64(4)},
		{[]obs{{1, int64(5)}, {2, int64(9)}, {3, int64(2)}, {4, int64(3)}}, int64(7)}, // 4, a reset to 2, 1
		{[]obs{{1, int64(5)}, {1, int64(9)}, {1, int64(5)}}, int64(4)},
		{[]obs{{1, int64(5)}, {2, nil}, {3, int64(6)}}, int64(1)},
		{[]obs{{1, nil}}, nil},
		{[]obs{{1, int64(-1 << 63)}, {2, int64(1<<63 - 1)}}, nil}, // does not fit
		{[]obs{{1, 0.1}, {2, 0.4}}, 0.30000000000000004},          // as exactly as doubles 0.1 and 0.4 differ
	} {
		typ := batch.Int
		if _, ok := c.rows[0].v.(float64); ok {
			typ = batch.Double
		}
		n := newNode(t, []Spec{{Kind: Increase, In: typ}}, typ, 1)
		n.add(rand.New(rand.NewPCG(1, 1)), c.rows, make([]uint32, len(c.rows)))
		if got := result(t, "increase", 0, n.accs[0], typ); !same(got, c.want) {
			t.Errorf("increase of %s = %v, want %v", fmt.Sprint(c.rows), got, c.want)
		}
	}
}
