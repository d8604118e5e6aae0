package aggregate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

type generator struct {
	name string
	typ  batch.Type
	gen  func(r *rand.Rand) any
}

func pick[T any](r *rand.Rand, vs ...T) T { return vs[r.IntN(len(vs))] }

func generators() []generator {
	return []generator{
		{name: "decimal", typ: batch.Double, gen: func(r *rand.Rand) any { return float64(r.IntN(900)-200) / 10 }},
		{name: "thousandths", typ: batch.Double, gen: func(r *rand.Rand) any { return float64(r.IntN(20_000_000)-10_000_000) / 1000 }},
		{name: "offset", typ: batch.Double, gen: func(r *rand.Rand) any { return 1e9 + float64(r.IntN(100))/10 }},
		{name: "cancelling", typ: batch.Double, gen: func(r *rand.Rand) any {
			return pick(r, 1e12, -1e12, 1e12, -1e12, 0.1, 0.2, -0.3, 0.01)
		}},
		// 53 random bits each within 99 bits, so that 128 of them stay within 106.
		{name: "bits", typ: batch.Double, gen: func(r *rand.Rand) any {
			x := math.Ldexp(float64(r.Int64N(1<<53)), r.IntN(46)-30)
			return pick(r, x, -x)
		}},
		{name: "bits of squares", typ: batch.Double, gen: func(r *rand.Rand) any {
			x := math.Ldexp(float64(r.Int64N(1<<53)), r.IntN(25)-60)
			return pick(r, x, -x)
		}},
		{name: "special", typ: batch.Double, gen: func(r *rand.Rand) any {
			return pick(r, 0, math.Copysign(0, -1), 1.5, -2.25, 0.1, 1e9, math.Inf(1), pick(r, math.Inf(-1), 3),
				pick(r, math.NaN(), math.Float64frombits(0xFFF8000000000123), 7))
		}},
		// Heavy cancellation: far more bits than two or four doubles hold, and sums beyond the range of doubles.
		{name: "any bits", typ: batch.Double, gen: func(r *rand.Rand) any {
			x := math.Float64frombits(r.Uint64())
			if x-x != 0 {
				x = math.MaxFloat64
			}
			return pick(r, x, math.Ldexp(1+r.Float64(), 1023), -math.Ldexp(1+r.Float64(), 1023), 1, 5e-324)
		}},
		{name: "huge and small", typ: batch.Double, gen: func(r *rand.Rand) any {
			return pick(r, 1e300, -1e300, 1e16, -1e16, 1, -1, 1e-16, 1e-300, 0.1, -0.1)
		}},
		{name: "zeros", typ: batch.Double, gen: func(r *rand.Rand) any { return pick(r, 0, math.Copysign(0, -1)) }},
		{name: "tiny", typ: batch.Double, gen: func(r *rand.Rand) any { return math.Float64frombits(r.Uint64N(1 << 40)) }},
		{name: "small int", typ: batch.Int, gen: func(r *rand.Rand) any { return int64(r.IntN(2000) - 1000) }},
		{name: "int", typ: batch.Int, gen: func(r *rand.Rand) any {
			return pick(r, int64(r.Uint64()), math.MaxInt64, math.MinInt64, 1<<53+1, -1, 0)
		}},
		{name: "timestamp", typ: batch.Timestamp, gen: func(r *rand.Rand) any {
			return pick(r, int64(r.IntN(10)), math.MaxInt64, math.MinInt64)
		}},
		{name: "bool", typ: batch.Bool, gen: func(r *rand.Rand) any { return r.IntN(2) == 0 }},
		{name: "string", typ: batch.String, gen: func(r *rand.Rand) any { return pick(r, "", "a", "ab", "b", "\xff", "é", "z") }},
		{name: "bytes", typ: batch.Bytes, gen: func(r *rand.Rand) any { return []byte(pick(r, "", "\x00", "\xff", "ab", "abc")) }},
	}
}

func appendValue(c *batch.Column, v any) {
	switch x := v.(type) {
	case nil:
		c.AppendNull()
	case bool:
		putBool(c, x)
	case int64:
		putInt(c, x)
	case float64:
		putDouble(c, 0)
		c.Doubles[len(c.Doubles)-1] = x // as it is: -0 and odd NaNs
	case string:
		putString(c, x)
	case []byte:
		putBytes(c, string(x))
	}
}

func valueAt(c *batch.Column, i int) any {
	if c.Null(i) {
		return nil
	}
	switch c.Type {
	case batch.Bool:
		return c.Bools[i]
	case batch.Double:
		return c.Doubles[i]
	case batch.String:
		return c.Str(i)
	case batch.Bytes:
		return append([]byte{}, c.Blob(i)...)
	default:
		return c.Ints[i]
	}
}

func same(a, b any) bool {
	x, ok1 := a.(float64)
	y, ok2 := b.(float64)
	if ok1 && ok2 {
		return math.Float64bits(x) == math.Float64bits(y)
	}
	return reflect.DeepEqual(a, b)
}

// node is one accumulator of each kind a function needs, as a source or a worker has.
type node struct {
	specs []Spec
	typ   batch.Type
	accs  []Accumulator
	slots int
}

// specOf is the Spec of a kind over a type.
func specOf(kind string, typ batch.Type) Spec {
	s := Spec{Kind: kind, In: typ}
	switch kind {
	case Count:
		s.In = 0
	case DDSketch:
		s.Param = ddAccuracy
	case HyperLogLog:
		s.Param = hllBits
	case SpaceSaving:
		s.Param = 100
	}
	return s
}

var kinds = []string{Count, CountValue, Sum, Min, Max, First, Last, Moments, DDSketch, HyperLogLog, SpaceSaving, Increase}

func newNode(t testing.TB, specs []Spec, typ batch.Type, slots int) *node {
	n := &node{specs: specs, typ: typ, slots: slots}
	for _, s := range specs {
		a, err := New(s)
		if err != nil {
			t.Fatal(err)
		}
		a.Grow(slots)
		n.accs = append(n.accs, a)
	}
	return n
}

// add takes the rows in, in batches of random size, dense or through a list of rows.
func (n *node) add(r *rand.Rand, rows []obs, groups []uint32) {
	for len(rows) > 0 {
		k := 1 + r.IntN(len(rows))
		col, slots := batch.Column{Type: n.typ}, []uint32{}
		var times []int64
		var list []uint32
		sparse := r.IntN(2) == 0
		for i, o := range rows[:k] {
			for sparse && r.IntN(3) == 0 { // a row that does not count
				appendValue(&col, o.v)
				times = append(times, r.Int64())
			}
			list = append(list, uint32(len(times)))
			appendValue(&col, o.v)
			times = append(times, o.at)
			slots = append(slots, groups[i])
		}
		if !sparse {
			list = nil
		}
		for _, a := range n.accs {
			a.Add(slots, &col, times, list)
		}
		rows, groups = rows[k:], groups[k:]
	}
}

func (n *node) state(t testing.TB, i int, slots []uint32) []batch.Column {
	types, err := StateTypes(n.specs[i])
	if err != nil {
		t.Fatal(err)
	}
	cols := make([]batch.Column, len(types))
	for k, ty := range types {
		cols[k].Type = ty
	}
	n.accs[i].AppendState(cols, slots)
	for k := range cols {
		if got := cols[k].Len(); got != len(slots) {
			t.Fatalf("%s: state column %d has %d rows, want %d", n.specs[i], k, got, len(slots))
		}
	}
	return cols
}

// mergeInto merges all groups of n into m in random order and through random rows.
func (n *node) mergeInto(t testing.TB, r *rand.Rand, m *node) {
	perm := r.Perm(n.slots)
	slots := make([]uint32, n.slots)
	for i, p := range perm {
		slots[i] = uint32(p)
	}
	for i := range n.accs {
		if r.IntN(3) == 0 { // without encoding
			m.accs[i].MergeFrom(slots, n.accs[i], slots)
			continue
		}
		cols := n.state(t, i, slots)
		var rows []uint32
		into := slots
		if r.IntN(2) == 0 {
			into = make([]uint32, n.slots)
			for _, p := range r.Perm(n.slots) {
				rows = append(rows, uint32(p))
			}
			for k, row := range rows {
				into[k] = slots[row]
			}
		}
		m.accs[i].Merge(into, cols, rows)
	}
}

// call is an aggregate of a type, with its second argument.
type call struct {
	function string
	param    float64
	star     bool
}

func (c call) String() string {
	if c.param != 0 {
		return fmt.Sprintf("%s(x, %v)", c.function, c.param)
	}
	return c.function
}

func callsOf(typ batch.Type) []call {
	calls := []call{{function: "count", star: true}}
	for _, f := range Functions() {
		for _, param := range []float64{0, 0.25, 0.99, 1, 3} {
			if _, _, err := Resolve(f, false, typ, param); err == nil {
				calls = append(calls, call{function: f, param: param})
			}
		}
	}
	return calls
}

// Any split of the rows over nodes and batches, any order of rows and any
// merge tree give the oracle's bits, and the state of one pass over the rows.
func TestSplitAndMergeOrderDoNotMatter(t *testing.T) {
	for _, g := range generators() {
		for _, c := range callsOf(g.typ) {
			t.Run(g.name+"/"+c.String(), func(t *testing.T) {
				for seed := range uint64(30) {
					checkSplit(t, rand.New(rand.NewPCG(seed, 1)), g, c)
					if t.Failed() {
						t.Fatalf("seed %d", seed)
					}
				}
			})
		}
	}
}

// dealt is rows of a few groups, dealt to nodes that were then merged.
type dealt struct {
	specs       []Spec
	result      batch.Type
	rows        []obs
	groups      []uint32
	one, merged *node
}

const dealtSlots = 4

func deal(t *testing.T, r *rand.Rand, g generator, c call) *dealt {
	s := &dealt{rows: make([]obs, 1+r.IntN(128))}
	var err error
	if s.specs, s.result, err = Resolve(c.function, c.star, g.typ, c.param); err != nil {
		t.Fatal(err)
	}
	nulls := pick(r, 0, 3)
	for i := range s.rows {
		s.rows[i] = obs{at: pick(r, int64(r.IntN(20)-10), int64(r.IntN(20)-10), math.MinInt64, math.MaxInt64), v: g.gen(r)}
		if nulls > 0 && r.IntN(nulls) == 0 {
			s.rows[i].v = nil
		}
		s.groups = append(s.groups, uint32(r.IntN(dealtSlots-1))) // the last group stays empty
	}
	s.one = newNode(t, s.specs, g.typ, dealtSlots)
	s.one.add(r, s.rows, s.groups)
	r.Shuffle(len(s.rows), func(i, j int) {
		s.rows[i], s.rows[j] = s.rows[j], s.rows[i]
		s.groups[i], s.groups[j] = s.groups[j], s.groups[i]
	})
	nodes := []*node{}
	for i := 0; i < len(s.rows); {
		n, k := newNode(t, s.specs, g.typ, dealtSlots), 1+r.IntN(len(s.rows)-i)
		n.add(r, s.rows[i:i+k], s.groups[i:i+k])
		nodes, i = append(nodes, n), i+k
	}
	for len(nodes) > 1 {
		r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		nodes[0].mergeInto(t, r, nodes[1])
		nodes = nodes[1:]
	}
	s.merged = nodes[0]
	return s
}

func checkSplit(t *testing.T, r *rand.Rand, g generator, c call) {
	s := deal(t, r, g, c)
	all := []uint32{0, 1, 2, 3}
	got, once := batch.Column{Type: s.result}, batch.Column{Type: s.result}
	if err := Finish(c.function, c.param, s.merged.accs, all, &got); err != nil {
		t.Fatal(err)
	}
	if err := Finish(c.function, c.param, s.one.accs, all, &once); err != nil {
		t.Fatal(err)
	}
	for slot := range all {
		var mine []obs
		for i, o := range s.rows {
			if s.groups[i] == uint32(slot) {
				mine = append(mine, o)
			}
		}
		for name, v := range map[string]any{"merged": valueAt(&got, slot), "in one pass": valueAt(&once, slot)} {
			if err := oracleSays(c, g.typ, mine, v); err != "" {
				t.Errorf("group %d %s: %v, %s of %v", slot, name, v, err, mine)
			}
		}
		if a, b := valueAt(&got, slot), valueAt(&once, slot); !same(a, b) {
			t.Errorf("group %d: merged %v, in one pass %v", slot, a, b)
		}
	}
	for i, k := range s.specs {
		if k.Kind == Moments {
			continue // equal sums of squares may stand in different doubles
		}
		if a, b := fmt.Sprint(dump(s.merged.state(t, i, all))), fmt.Sprint(dump(s.one.state(t, i, all))); a != b {
			t.Errorf("state of %s: merged %s, in one pass %s", k, a, b)
		}
	}
}

// dump lists the values of columns, doubles as bits.
func dump(cols []batch.Column) (out [][]any) {
	for i := range cols {
		var vs []any
		for r := range cols[i].Len() {
			v := valueAt(&cols[i], r)
			if f, ok := v.(float64); ok {
				v = math.Float64bits(f)
			}
			vs = append(vs, v)
		}
		out = append(out, vs)
	}
	return out
}

// The empty state is the identity, and Clear gives it back.
func TestEmptyStateIsIdentity(t *testing.T) {
	for _, g := range generators() {
		for _, kind := range kinds {
			spec := specOf(kind, g.typ)
			if _, err := StateTypes(spec); err != nil {
				continue
			}
			r := rand.New(rand.NewPCG(7, 7))
			n := newNode(t, []Spec{spec}, g.typ, 3)
			empty := fmt.Sprint(dump(n.state(t, 0, []uint32{2})))
			var rows []obs
			for range 20 {
				rows = append(rows, obs{r.Int64N(10), g.gen(r)})
			}
			n.add(r, rows, make([]uint32, 20))
			full := fmt.Sprint(dump(n.state(t, 0, []uint32{0})))
			if full == empty {
				t.Fatalf("%s of %s: 20 rows changed nothing", kind, g.name)
			}
			n.accs[0].Merge([]uint32{0}, n.state(t, 0, []uint32{2}), nil) // empty on the right
			n.accs[0].Merge([]uint32{1}, n.state(t, 0, []uint32{0}), nil) // empty on the left
			for _, s := range []uint32{0, 1} {
				if got := fmt.Sprint(dump(n.state(t, 0, []uint32{s}))); got != full {
					t.Errorf("%s of %s: slot %d %s, want %s", kind, g.name, s, got, full)
				}
			}
			n.accs[0].MergeFrom([]uint32{0}, n.accs[0], []uint32{2})
			n.accs[0].Clear([]uint32{1})
			n.accs[0].MergeFrom([]uint32{1}, n.accs[0], []uint32{0})
			for _, s := range []uint32{0, 1} {
				if got := fmt.Sprint(dump(n.state(t, 0, []uint32{s}))); got != full {
					t.Errorf("%s of %s: slot %d after MergeFrom %s, want %s", kind, g.name, s, got, full)
				}
			}
			n.accs[0].Clear([]uint32{0, 1})
			for _, s := range []uint32{0, 1} {
				if got := fmt.Sprint(dump(n.state(t, 0, []uint32{s}))); got != empty {
					t.Errorf("%s of %s: cleared slot %d %s, want %s", kind, g.name, s, got, empty)
				}
			}
		}
	}
}
