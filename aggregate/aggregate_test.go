package aggregate

import (
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

func TestResolveRefuses(t *testing.T) {
	for _, c := range []struct {
		function string
		star     bool
		arg      batch.Type
		err      error
	}{
		{"sum", true, 0, ErrType}, {"sum", false, batch.String, ErrType}, {"avg", false, batch.Timestamp, ErrType},
		{"min", false, batch.Bytes, ErrType}, {"bool_and", false, batch.Int, ErrType}, {"increase", false, batch.Timestamp, ErrType},
		{"quantile", false, batch.String, ErrType}, {"stddev_pop", false, batch.Bool, ErrType}, {"count", false, 0, ErrType},
		{"median", false, batch.Double, ErrFunction}, {"moments", false, batch.Double, ErrFunction},
	} {
		if _, _, err := Resolve(c.function, c.star, c.arg, 0); !errors.Is(err, c.err) {
			t.Errorf("Resolve(%s, %v, %s): %v, want %v", c.function, c.star, c.arg, err, c.err)
		}
	}
	if _, err := New(Spec{Kind: "median", In: batch.Double}); !errors.Is(err, ErrKind) {
		t.Errorf("New(median): %v, want ErrKind", err)
	}
	out := batch.Column{Type: batch.Double}
	if err := Finish("avg", 0, nil, nil, &out); !errors.Is(err, ErrKind) {
		t.Errorf("Finish(avg) without accumulators: %v, want ErrKind", err)
	}
}

func addAll(t *testing.T, function string, values ...any) any {
	t.Helper()
	typ := batch.Double
	if _, ok := values[0].(int64); ok {
		typ = batch.Int
	}
	specs, result, err := Resolve(function, false, typ, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, specs, typ, 1)
	col := batch.Column{Type: typ}
	for _, v := range values {
		appendValue(&col, v)
	}
	for _, a := range n.accs {
		a.Add(make([]uint32, len(values)), &col, nil, nil)
	}
	out := batch.Column{Type: result}
	if err := Finish(function, 0, n.accs, []uint32{0}, &out); err != nil {
		t.Fatal(err)
	}
	return valueAt(&out, 0)
}

func TestKnownValues(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		function string
		values   []any
		want     any
	}{
		{"sum", []any{0.1, 0.2, 0.3, -0.3, -0.2, -0.1}, 0.0},
		{"sum", []any{1e16, 1.0, -1e16}, 1.0},
		{"sum", []any{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, 1.0},
		{"sum", []any{inf, 1.0, -5.0}, inf},
		{"sum", []any{inf, -inf, 1.0}, batch.CanonicalNaN},
		{"sum", []any{1.0, math.Float64frombits(0xFFF0000000000001)}, batch.CanonicalNaN},
		{"sum", []any{1e308, 1e308}, inf},
		{"sum", []any{1e308, 1e308, -1e308}, 1e308},
		{"sum", []any{1e308, 1e308, inf, -1e308}, inf},
		{"sum", []any{1e300, 1e-300, 1.0, -1e300, -1.0}, 1e-300},
		{"sum", []any{math.MaxFloat64, 5e-324, -math.MaxFloat64}, 5e-324},
		{"avg", []any{1e308, 1e308, -1e308, 1e308}, inf},
		{"sum", []any{math.Copysign(0, -1)}, 0.0},
		{"sum", []any{nil, nil}, nil},
		{"sum", []any{int64(math.MaxInt64), int64(1), int64(-1)}, int64(math.MaxInt64)},
		{"sum", []any{int64(math.MaxInt64), int64(1)}, nil},
		{"sum", []any{int64(math.MinInt64), int64(-1)}, nil},
		{"avg", []any{int64(math.MaxInt64), int64(1)}, nil},
		{"avg", []any{int64(1), int64(2)}, 1.5},
		{"min", []any{nan, 3.0, inf}, 3.0},
		{"min", []any{nan, nan}, batch.CanonicalNaN},
		{"max", []any{nan, 3.0, inf}, batch.CanonicalNaN},
		{"max", []any{-inf, nil}, -inf},
		{"var_pop", []any{1e9 + 0.5, 1e9 + 1.5}, 0.25},
		{"var_samp", []any{4.0}, nil},
		{"var_pop", []any{4.0}, 0.0},
		{"stddev_pop", []any{2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0}, 2.0},
		{"stddev_samp", []any{1.0, inf}, batch.CanonicalNaN},
		{"var_pop", []any{int64(math.MaxInt64), int64(math.MaxInt64 - 2)}, 1.0},
	} {
		if got := addAll(t, c.function, c.values...); !same(got, c.want) {
			t.Errorf("%s(%v) = %v, want %v", c.function, c.values, got, c.want)
		}
	}
}

// A long run goes through many renorms of one slot.
func TestVarianceOfManyRowsIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var rows []obs
	for range 20_000 {
		rows = append(rows, obs{0, math.Pow(10, 7*r.Float64()-3)})
	}
	n := newNode(t, []Spec{{Kind: Moments, In: batch.Double}}, batch.Double, 1)
	n.add(r, rows, make([]uint32, len(rows)))
	out := batch.Column{Type: batch.Double}
	if err := Finish("var_samp", 0, n.accs, []uint32{0}, &out); err != nil {
		t.Fatal(err)
	}
	// sum and sum of squares in big.Float are exact with so many bits.
	s, q := new(big.Float).SetPrec(2000), new(big.Float).SetPrec(2000)
	for _, o := range rows {
		x := new(big.Float).SetPrec(2000).SetFloat64(o.v.(float64))
		s.Add(s, x)
		q.Add(q, x.Mul(x, x))
	}
	num := new(big.Float).SetPrec(2000).SetInt64(int64(len(rows)))
	num.Mul(num, q).Sub(num, s.Mul(s, s))
	num.Quo(num, new(big.Float).SetInt64(int64(len(rows))*int64(len(rows)-1)))
	want, _ := num.Float64()
	if got := out.Doubles[0]; got != want {
		t.Errorf("var_samp = %v, want %v", got, want)
	}
}

// The four doubles lose nothing of 2^17 rows whose squares span 204 bits, which without the renorms they would.
func TestSumsOfSquaresAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var m momentsState
	want := new(big.Float).SetPrec(1000)
	for i := range 1 << 17 {
		x := 0x1.fffffffffffffp27
		if i%2 == 0 { // 53 bits down to 2^-66
			x = math.Ldexp(float64(r.Int64N(1<<53)), -59-r.IntN(8))
		}
		m.count()
		if lost1, lost2 := m.q.plus(square(x)); lost1 != 0 || lost2 != 0 {
			t.Fatalf("row %d: lost %v and %v", i, lost1, lost2)
		}
		f := new(big.Float).SetPrec(1000).SetFloat64(x)
		want.Add(want, f.Mul(f, f))
	}
	got := new(big.Float).SetPrec(1000)
	for _, q := range m.q {
		got.Add(got, new(big.Float).SetFloat64(q))
	}
	if got.Cmp(want) != 0 {
		t.Errorf("sum of squares is off by %v", want.Sub(want, got))
	}
}

func TestRoundingOfRoots(t *testing.T) {
	var v variance
	for x := int64(1); x < 3000; x++ {
		v.num.SetInt64(x * x)
		v.den.SetInt64(1)
		if got := v.root(0); got != float64(x) {
			t.Fatalf("root of %d^2 = %v", x, got)
		}
		v.num.SetInt64(x)
		v.den.SetInt64(7)
		f := new(big.Float).SetPrec(300).SetRat(big.NewRat(x, 7*4))
		want, _ := f.Sqrt(f).Float64()
		if got := v.root(-2); got != want {
			t.Fatalf("root of %d/28 = %v, want %v", x, got, want)
		}
	}
}

// Whatever a state column from outside holds, Merge, AppendState and Finish
// return, and the slots beside it are left alone.
func FuzzMerge(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3}, uint8(0))
	nan := binary.LittleEndian.AppendUint64(nil, 0x7FF8_0000_0000_1EA7)
	f.Add(append(nan, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xEF, 0x7F), uint8(1))
	f.Add(binary.LittleEndian.AppendUint64(nan, 1<<63), uint8(255))
	f.Fuzz(func(t *testing.T, data []byte, nulls uint8) {
		for _, kind := range kinds {
			for typ := batch.Bool; typ <= batch.Timestamp; typ++ {
				if _, err := StateTypes(specOf(kind, typ)); err == nil {
					fuzzMerge(t, specOf(kind, typ), typ, data, nulls)
				}
			}
		}
	})
}

func fuzzMerge(t *testing.T, spec Spec, typ batch.Type, data []byte, nulls uint8) {
	n := newNode(t, []Spec{spec}, typ, 2)
	cols := n.state(t, 0, nil)
	word := func(i int) uint64 {
		var w [8]byte
		if len(data) > 0 {
			copy(w[:], data[i*8%len(data):])
		}
		return binary.LittleEndian.Uint64(w[:])
	}
	const rows = 4
	for k := range cols {
		for i := range rows {
			w := word(k*rows + i)
			switch c := &cols[k]; {
			case nulls>>((k+i)%8)&1 != 0:
				c.AppendNull()
			case c.Type == batch.Bool:
				putBool(c, w&1 == 0)
			case c.Type == batch.Double:
				appendValue(c, math.Float64frombits(w))
			case c.Type == batch.String:
				putString(c, string(data))
			case c.Type == batch.Bytes:
				putBytes(c, string(data))
			default:
				putInt(c, int64(w))
			}
		}
	}
	n.accs[0].Merge([]uint32{0, 0, 0, 0}, cols, nil)
	n.accs[0].Merge([]uint32{0, 0}, n.state(t, 0, []uint32{0, 0}), []uint32{1, 0})
	for _, c := range callsOf(typ) {
		fn := c.function
		specs, result, err := Resolve(fn, c.star, typ, c.param)
		if err != nil || len(specs) != 1 || specs[0] != spec {
			continue
		}
		out := batch.Column{Type: result}
		if err := Finish(fn, c.param, n.accs, []uint32{0, 1}, &out); err != nil {
			t.Fatal(err)
		}
		if out.Len() != 2 {
			t.Fatalf("%s gave %d values of 2", fn, out.Len())
		}
		if result == batch.Double && !out.Null(0) {
			if v := out.Doubles[0]; !same(v, clean(v)) {
				t.Fatalf("%s of %s gave %x, which is not canonical", fn, typ, math.Float64bits(v))
			}
		}
		if empty := valueAt(&out, 1); empty != nil && empty != int64(0) {
			t.Fatalf("%s of %s: the slot beside holds %v", fn, typ, empty)
		}
	}
}

// The two ways through a batch of doubles give the same, NaNs, infinities and zeros of both signs among them.
func TestExtremesWithAndWithoutBranches(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	special := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1, -1}
	for round := range 200 {
		n := 300 + rng.IntN(300)
		keys := 1 + rng.IntN(400)
		slots, values := make([]uint32, n), make([]float64, n)
		for i := range slots {
			slots[i], values[i] = uint32(rng.IntN(keys)), float64(rng.IntN(100))-50
			if round%2 == 0 && rng.IntN(20) == 0 {
				values[i] = special[rng.IntN(len(special))]
			}
		}
		for _, isMax := range []bool{false, true} {
			fast, slow := &extremeDouble{max: isMax}, &extremeDouble{max: isMax}
			fast.Grow(keys)
			slow.Grow(keys)
			for range 2 {
				if isMax {
					fast.maxOften(slots, values)
					maxDoubles(slow.v, slots, values)
				} else {
					fast.minOften(slots, values)
					minDoubles(slow.v, slots, values)
				}
				for s := range keys {
					if a, b := math.Float64bits(fast.v[s]), math.Float64bits(slow.v[s]); a != b {
						t.Fatalf("round %d, max %t, slot %d: %x, with branches %x", round, isMax, s, a, b)
					}
				}
			}
		}
	}
}
