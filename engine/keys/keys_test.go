package keys

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// TestTableAgainstMap inserts and deletes at random and compares with a map.
func TestTableAgainstMap(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var tab Table
		want := map[string]uint32{}
		used := map[uint32]string{}
		for range 20_000 {
			k := fmt.Sprintf("key-%d", rng.IntN(1+rng.IntN(3000)))
			slot, known := want[k]
			switch {
			case rng.IntN(3) > 0:
				got, fresh := tab.Insert([]byte(k))
				if fresh == known || known && got != slot {
					t.Fatalf("seed %d: Insert(%s) = %d, %t; it has %d, %t", seed, k, got, fresh, slot, known)
				}
				if other, taken := used[got]; taken && other != k {
					t.Fatalf("seed %d: slot %d of %s was given to %s", seed, got, other, k)
				}
				want[k], used[got] = got, k
			case known:
				tab.Delete(slot)
				delete(want, k)
				delete(used, slot)
			default:
				if _, ok := tab.Find([]byte(k)); ok {
					t.Fatalf("seed %d: %s is there", seed, k)
				}
			}
		}
		if tab.Len() != len(want) {
			t.Fatalf("seed %d: %d keys, want %d", seed, tab.Len(), len(want))
		}
		for k, slot := range want {
			if got, ok := tab.Find([]byte(k)); !ok || got != slot || string(tab.Key(slot)) != k || !tab.Live(slot) {
				t.Fatalf("seed %d: %s is at %d, %t, want %d", seed, k, got, ok, slot)
			}
		}
	}
}

// TestArenaStaysBounded turns many keys over.
func TestArenaStaysBounded(t *testing.T) {
	var tab Table
	slots := []uint32{}
	for i := range 200_000 {
		slot, _ := tab.Insert(fmt.Appendf(nil, "key-%010d", i))
		slots = append(slots, slot)
		if len(slots) > 100 {
			tab.Delete(slots[0])
			slots = slots[1:]
		}
	}
	if size := tab.SizeBytes(); size > 64<<10 || tab.Slots() > 101 {
		t.Fatalf("%d bytes and %d slots for 100 keys", size, tab.Slots())
	}
}

func schemaAndRows(rng *rand.Rand, n int) (batch.Schema, *batch.Batch) {
	s := batch.Schema{{Name: "a", Type: batch.String}, {Name: "b", Type: batch.Int}, {Name: "c", Type: batch.Double}, {Name: "d", Type: batch.Bool}, {Name: "e", Type: batch.Bytes}, {Name: "f", Type: batch.Timestamp}}
	b := batch.New(s)
	b.Cols[0].Dict = batch.NewDict()
	for range n {
		for k := range b.Cols {
			c := &b.Cols[k]
			if rng.IntN(4) == 0 {
				c.AppendNull()
				continue
			}
			v, at := rng.IntN(3), c.Len()
			switch c.Type {
			case batch.String:
				c.Codes = append(c.Codes, c.Dict.CodeString(fmt.Sprint("v", v)))
			case batch.Double:
				c.Doubles = append(c.Doubles, []float64{0, math.Copysign(0, -1), math.NaN()}[v])
			case batch.Bool:
				c.Bools = append(c.Bools, v == 0)
			case batch.Bytes:
				c.AppendBlob(make([]byte, v))
			default:
				c.Ints = append(c.Ints, int64(v-1))
			}
			if c.Valid != nil {
				c.Valid = c.Valid.Append(at, true)
			}
		}
		b.N++
	}
	return s, b
}

// TestIndexFindsWhatAppendKeySays gives equal rows equal slots, and the columns back.
func TestIndexFindsWhatAppendKeySays(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		s, b := schemaAndRows(rng, 300)
		by := rng.Perm(len(s))[:1+rng.IntN(len(s))]
		if seed%3 == 0 {
			by = []int{0}
		}
		x := NewIndex(s, by)
		want := map[string]uint32{}
		for i := range b.N {
			k := string(batch.AppendKey(nil, b.Cols, by, i))
			if rng.IntN(4) == 0 {
				if slot, ok := x.Find(b, i); ok {
					x.Delete(slot)
					delete(want, k)
				}
				continue
			}
			known, ok := want[k]
			got, fresh := x.Slot(b, i)
			if fresh == ok || ok && got != known {
				t.Fatalf("seed %d, row %d: slot %d, fresh %t; want %d, %t", seed, i, got, fresh, known, !ok)
			}
			want[k] = got
			dst := make([]batch.Column, len(by))
			for j, at := range by {
				dst[j].Type = s[at].Type
			}
			AppendColumns(dst, x.Key(got))
			order := make([]int, len(by))
			for j := range order {
				order[j] = j
			}
			if back := batch.AppendKey(nil, dst, order, 0); !slices.Equal(back, []byte(k)) {
				t.Fatalf("seed %d, row %d: columns of the key are %x, want %x", seed, i, back, k)
			}
		}
	}
}

// TestIndexForgetsCodes deletes a key and changes dictionaries: codes must not lead to old slots.
func TestIndexForgetsCodes(t *testing.T) {
	s := batch.Schema{{Name: "a", Type: batch.String}}
	rows := func(values ...string) *batch.Batch {
		b := batch.New(s)
		b.Cols[0].Dict = batch.NewDict()
		for _, v := range values {
			b.Cols[0].Codes = append(b.Cols[0].Codes, b.Cols[0].Dict.CodeString(v))
			b.N++
		}
		return b
	}
	x := NewIndex(s, []int{0})
	b := rows("a", "b")
	sa, _ := x.Slot(b, 0)
	x.Slot(b, 1)
	x.Delete(sa)
	if _, ok := x.Find(b, 0); ok {
		t.Fatal("a deleted key was found by its code")
	}
	other := rows("b", "c")
	sb, fresh := x.Slot(other, 0)
	if fresh {
		t.Fatal("b is not known in another dictionary")
	}
	if sc, _ := x.Slot(other, 1); sc == sb {
		t.Fatal("two keys share a slot")
	}
	x.Clear()
	if _, ok := x.Find(other, 0); ok {
		t.Fatal("a cleared index found a key")
	}
}

func BenchmarkIndexByCode(b *testing.B) {
	s := batch.Schema{{Name: "a", Type: batch.String}}
	rows := batch.New(s)
	rows.Cols[0].Dict = batch.NewDict()
	for i := range 4096 {
		rows.Cols[0].Codes = append(rows.Cols[0].Codes, rows.Cols[0].Dict.CodeString(fmt.Sprint(i%1000)))
		rows.N++
	}
	x := NewIndex(s, []int{0})
	b.ReportAllocs()
	for b.Loop() {
		for i := range rows.N {
			x.Slot(rows, i)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/row")
}
