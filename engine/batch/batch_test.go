package batch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestDictKeepsCodesWhileItGrows(t *testing.T) {
	d := NewDict()
	rng := rand.New(rand.NewPCG(1, 2))
	codes := map[string]uint32{}
	for range 50_000 {
		s := fmt.Sprint(rng.IntN(10_000))
		got := d.Code([]byte(s))
		if rng.IntN(2) == 0 {
			got = d.CodeString(s)
		}
		if want, seen := codes[s]; seen && got != want {
			t.Fatalf("%q had code %d, has %d", s, want, got)
		}
		codes[s] = got
		if d.Value(got) != s {
			t.Fatalf("code %d is %q, want %q", got, d.Value(got), s)
		}
	}
	if d.Len() != len(codes) {
		t.Errorf("%d strings, want %d", d.Len(), len(codes))
	}
}

func TestDictCopiesWhatItIsGiven(t *testing.T) {
	d := NewDict()
	b := []byte("abc")
	code := d.Code(b)
	b[0] = 'x'
	if d.Value(code) != "abc" {
		t.Errorf("the dictionary holds %q", d.Value(code))
	}
}

func TestBitmap(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 1000} {
		m := NewBitmap(n, true)
		for i := range n {
			if !m.Get(i) {
				t.Fatalf("bit %d of %d is clear", i, n)
			}
		}
		if n%64 != 0 && m[len(m)-1]>>(n%64) != 0 {
			t.Errorf("bits beyond %d are set", n)
		}
		m = m.Append(n, false).Append(n+1, true)
		if m.Get(n) || !m.Get(n+1) {
			t.Errorf("appended bits at %d are %t, %t", n, m.Get(n), m.Get(n+1))
		}
	}
}

// columns makes a column of each type with a null in the middle.
func columns() []Column {
	var out []Column
	for typ := Bool; typ <= Timestamp; typ++ {
		c := Column{Type: typ}
		one, two := Column{Type: typ}, Column{Type: typ}
		switch typ {
		case Bool:
			one.Bools, two.Bools = []bool{true}, []bool{false}
		case Double:
			one.Doubles, two.Doubles = []float64{1.5}, []float64{math.Inf(-1)}
		case String:
			one.Dict, two.Dict = NewDict(), NewDict()
			one.Codes, two.Codes = []uint32{one.Dict.CodeString("a")}, []uint32{two.Dict.CodeString("b")}
		case Bytes:
			one.AppendBlob([]byte{0, 1})
			two.AppendBlob(nil)
		default:
			one.Ints, two.Ints = []int64{7}, []int64{-7}
		}
		c.AppendFrom(&one, 0)
		c.AppendNull()
		c.AppendFrom(&two, 0)
		out = append(out, c)
	}
	return out
}

func TestRowsSurviveACopy(t *testing.T) {
	src := &Batch{Cols: columns(), N: 3, Sel: []uint32{1, 2}}
	var s Schema
	for _, c := range src.Cols {
		s = append(s, Field{Name: c.Type.String(), Type: c.Type})
	}
	dst := New(s)
	dst.AppendRows(src)
	dst.AppendRows(&Batch{Cols: src.Cols, N: 3})
	if dst.N != 5 {
		t.Fatalf("%d rows, want 5", dst.N)
	}
	by := []int{0, 1, 2, 3, 4, 5}
	for to, from := range []int{1, 2, 0, 1, 2} {
		if got, want := AppendKey(nil, dst.Cols, by, to), AppendKey(nil, src.Cols, by, from); !slices.Equal(got, want) {
			t.Errorf("row %d is %x, want row %d, %x", to, got, from, want)
		}
	}
	dst.Reset()
	if dst.N != 0 || dst.Len() != 0 || dst.Cols[4].Len() != 0 {
		t.Error("a reset batch has rows")
	}
}

// Keys and key groups stand in stored records: these never change.
func TestGoldenKeys(t *testing.T) {
	c := columns()
	by := []int{0, 1, 2, 3, 4, 5}
	for row, want := range []string{
		"0101010000000000000007013ff80000000000000101610102000101" + "0000000000000007",
		"000000000000",
		"010001fffffffffffffff901fff00000000000000101620100" + "01fffffffffffffff9",
	} {
		if got := fmt.Sprintf("%x", AppendKey(nil, c, by, row)); got != want {
			t.Errorf("row %d: key %s, want %s", row, got, want)
		}
	}
	for key, want := range map[string]uint16{"": 2457, "dev-0361": 2340, "a": 3675} {
		if got := KeyGroup([]byte(key)); got != want {
			t.Errorf("key group of %q is %d, want %d", key, got, want)
		}
	}
}

func TestEqualKeysHaveEqualBytes(t *testing.T) {
	c := []Column{{Type: Double, Doubles: []float64{0, math.Copysign(0, -1), math.NaN(), math.Float64frombits(0xfff8000000000001), 1}}}
	key := func(i int) string { return string(AppendKey(nil, c, []int{0}, i)) }
	if key(0) != key(1) || key(2) != key(3) || key(0) == key(4) || key(0) == key(2) {
		t.Error("-0 and 0, or two NaNs, are different keys, or different numbers are the same")
	}
	// No two lists of strings share their bytes by where they are cut.
	d := NewDict()
	s := []Column{{Type: String, Dict: d, Codes: []uint32{d.CodeString("ab"), d.CodeString("a")}}, {Type: String, Dict: d, Codes: []uint32{d.CodeString("c"), d.CodeString("bc")}}}
	if string(AppendKey(nil, s, []int{0, 1}, 0)) == string(AppendKey(nil, s, []int{0, 1}, 1)) {
		t.Error(`("ab", "c") and ("a", "bc") are the same key`)
	}
}

func TestPartitionsAreRangesOfKeyGroups(t *testing.T) {
	for _, spread := range []int{1, 3, 4, 16} {
		counts := make([]int, spread)
		last := 0
		for g := range KeyGroups {
			p := Partition(uint16(g), spread)
			if p < last || p >= spread {
				t.Fatalf("group %d of %d falls to partition %d after %d", g, spread, p, last)
			}
			last = p
			counts[p]++
		}
		if slices.Max(counts)-slices.Min(counts) > 1 {
			t.Errorf("%d partitions own %v key groups", spread, counts)
		}
	}
}

func TestAppendRowsKeepsDeletedMarks(t *testing.T) {
	src := New(Schema{{Name: "a", Type: Int}})
	src.Cols[0].Ints, src.N = []int64{1, 2, 3}, 3
	dst := New(Schema{{Name: "a", Type: Int}})
	dst.AppendRows(src)
	src.Deleted = NewBitmap(3, false)
	src.Deleted.Set(2)
	src.Sel = []uint32{1, 2}
	dst.AppendRows(src)
	src.Deleted, src.Sel = nil, nil
	dst.AppendRows(src)
	var got []int64
	for i := range dst.N {
		if dst.Deleted.Get(i) {
			got = append(got, dst.Cols[0].Ints[i])
		}
	}
	if dst.N != 8 || len(got) != 1 || got[0] != 3 {
		t.Fatalf("%d rows, deleted %v; want 8 rows, the one of 3 deleted", dst.N, got)
	}
	if dst.Reset(); dst.Deleted != nil {
		t.Fatal("Reset left marks")
	}
}
