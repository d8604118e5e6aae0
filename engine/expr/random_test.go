package expr

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/internal/pb/pbtest"
)

var randomSchema = batch.Schema{
	{Name: "b0", Type: batch.Bool}, {Name: "i0", Type: batch.Int}, {Name: "i1", Type: batch.Int}, {Name: "d0", Type: batch.Double}, {Name: "d1", Type: batch.Double},
	{Name: "s0", Type: batch.String}, {Name: "s1", Type: batch.String}, {Name: "y0", Type: batch.Bytes}, {Name: "t0", Type: batch.Timestamp},
}

var (
	someInts    = []int64{0, 1, -1, 2, 3, 7, -8, 1000, math.MaxInt64, math.MinInt64, 1 << 32, 3037000500}
	someDoubles = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, 2.5, -3.5, 7, 1e308, -1e300, 5e-324, math.NaN(), math.Inf(1), math.Inf(-1), 1.005, 123456.789, 9.3e18}
	someStrings = []string{"", "a", "A", "ab%", "a,b,c", ",", "12", " 7 ", "-1.5", "true", "Grüße", "a\\", "_b", "%b%", "2026-01-31", `\\xDEad 00`, `a\\001b`, "0001-02-03 04:05:06.7 BC", "x\ny", "ß", "aaaa"}
	someTimes   = []int64{0, -1, 1, 1769862896789012, -62135596800000000, -62167219200000001, -62198755200000000, -99999999999999999, -518400000000, 1711846799999999, 1729987200000000, 1729990800000000, 951782400000000, 1709164800000000, 253402300799999999}
)

func one[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// randomBatch has nulls, and garbage where nobody may look: at nulls and
// outside the selection.
func randomBatch(r *rand.Rand, n int, dicts []*batch.Dict) *batch.Batch {
	b := batch.New(randomSchema)
	b.N = n
	if r.IntN(2) == 0 {
		b.Sel = []uint32{}
		for i := range n {
			if r.IntN(3) > 0 {
				b.Sel = append(b.Sel, uint32(i))
			}
		}
		if r.IntN(8) == 0 {
			b.Sel = b.Sel[:0]
		}
	}
	selected := make([]bool, n)
	for i := range n {
		selected[i] = b.Sel == nil
	}
	for _, i := range b.Sel {
		selected[i] = true
	}
	for k, f := range randomSchema {
		c := &b.Cols[k]
		if r.IntN(3) > 0 {
			c.Valid = batch.NewBitmap(n, true)
		}
		if f.Type == batch.String {
			c.Dict = one(r, dicts)
		}
		for i := range n {
			if c.Valid != nil && r.IntN(5) == 0 {
				c.Valid.Clear(i)
			}
			garbage := c.Null(i) || !selected[i]
			switch f.Type {
			case batch.Bool:
				c.Bools = append(c.Bools, r.IntN(2) == 0)
			case batch.Int:
				c.Ints = append(c.Ints, one(r, someInts))
			case batch.Double:
				c.Doubles = append(c.Doubles, one(r, someDoubles))
			case batch.String:
				code := uint32(math.MaxUint32)
				if !garbage {
					code = c.Dict.CodeString(one(r, someStrings))
				}
				c.Codes = append(c.Codes, code)
			case batch.Bytes:
				c.AppendBlob([]byte(one(r, someStrings)))
			default:
				c.Ints = append(c.Ints, one(r, someTimes))
			}
		}
		if f.Type == batch.Bytes && n == 0 {
			c.Offsets = nil
		}
	}
	return b
}

// grower makes random well-typed expressions.
type grower struct {
	r *rand.Rand
	// made are calls that may stand there again, by type; nil = never.
	made map[batch.Type][]*plan.Expr
}

func newGrower(r *rand.Rand) grower { return grower{r, map[batch.Type][]*plan.Expr{}} }

func (g grower) literal(t batch.Type) *plan.Expr {
	v := &plan.Value{}
	if g.r.IntN(12) > 0 {
		switch t {
		case batch.Bool:
			v.Kind = &plan.Value_Bool{Bool: g.r.IntN(2) == 0}
		case batch.Int:
			v.Kind = &plan.Value_Int{Int: one(g.r, someInts)}
		case batch.Double:
			v.Kind = &plan.Value_Double{Double: one(g.r, someDoubles)}
		case batch.String:
			v.Kind = &plan.Value_String_{String_: one(g.r, someStrings)}
		case batch.Bytes:
			v.Kind = &plan.Value_Bytes{Bytes: []byte(one(g.r, someStrings))}
		default:
			v.Kind = &plan.Value_Int{Int: one(g.r, someTimes)}
		}
	}
	return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Literal{Literal: v}}
}

func (g grower) text(s string) *plan.Expr {
	return &plan.Expr{Type: uint32(batch.String), Kind: &plan.Expr_Literal{Literal: &plan.Value{Kind: &plan.Value_String_{String_: s}}}}
}

func (g grower) leaf(t batch.Type) *plan.Expr {
	var cols []int
	for i, f := range randomSchema {
		if f.Type == t {
			cols = append(cols, i)
		}
	}
	if g.r.IntN(4) > 0 {
		return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Column{Column: uint32(one(g.r, cols))}}
	}
	return g.literal(t)
}

func (g grower) call(op string, t batch.Type, depth int, types ...batch.Type) *plan.Expr {
	args := make([]*plan.Expr, len(types))
	for i, at := range types {
		args[i] = g.expr(at, depth-1)
	}
	e := &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Call{Call: &plan.Call{Op: op, Args: args}}}
	if g.made != nil {
		g.made[t] = append(g.made[t], e)
	}
	return e
}

func (g grower) depth(e *plan.Expr) int {
	d := 0
	for _, a := range e.GetCall().GetArgs() {
		d = max(d, 1+g.depth(a))
	}
	return d
}

func (g grower) times(t batch.Type, n int) []batch.Type {
	types := make([]batch.Type, n)
	for i := range types {
		types[i] = t
	}
	return types
}

func (g grower) expr(t batch.Type, depth int) *plan.Expr {
	if depth <= 0 || g.r.IntN(10) == 0 {
		return g.leaf(t)
	}
	if made := g.made[t]; len(made) > 0 && g.r.IntN(5) == 0 {
		if e := one(g.r, made); g.depth(e) <= 6 {
			return pb.Clone(e)
		}
	}
	if g.r.IntN(3) == 0 {
		return g.anyType(t, depth)
	}
	const B, I, D, S, T = batch.Bool, batch.Int, batch.Double, batch.String, batch.Timestamp
	switch t {
	case B:
		switch g.r.IntN(6) {
		case 0:
			return g.call(one(g.r, []string{"and", "or"}), B, depth, g.times(B, 2+g.r.IntN(2))...)
		case 1:
			return g.call(one(g.r, []string{"not", "cast"}), B, depth, B)
		case 2:
			return g.call("like", B, depth, S, S)
		case 3:
			e := g.call("regexp_like", B, depth, S, S)
			e.GetCall().Args[1] = g.text(one(g.r, []string{"^a", "b.?$", "ß|x.y", "[0-9]+"}))
			return e
		}
		at := one(g.r, []batch.Type{B, I, D, S, T, batch.Bytes})
		switch g.r.IntN(4) {
		case 0:
			return g.call(one(g.r, []string{"is_null", "is_not_null"}), B, depth, at)
		case 1:
			e := g.call("in", B, depth, g.times(at, 2+g.r.IntN(3))...)
			if g.r.IntN(2) == 0 {
				for i := range e.GetCall().Args[1:] {
					e.GetCall().Args[i+1] = g.literal(at)
				}
			}
			return e
		}
		return g.call(one(g.r, []string{"=", "<>", "<", "<=", ">", ">="}), B, depth, at, at)
	case I:
		if g.r.IntN(3) == 0 {
			return g.call(one(g.r, []string{"neg", "abs"}), I, depth, I)
		}
		if g.r.IntN(6) == 0 {
			return g.call("length", I, depth, S)
		}
		return g.call(one(g.r, []string{"+", "-", "*", "/", "%"}), I, depth, I, I)
	case D:
		switch g.r.IntN(5) {
		case 0:
			return g.call(one(g.r, []string{"neg", "abs", "round", "floor", "ceil", "sqrt", "ln", "exp", "udf:half"}), D, depth, D)
		case 1:
			return g.call("round", D, depth, D, I)
		case 2:
			e := g.call("extract", D, depth, S, T)
			e.GetCall().Args[0] = g.text(one(g.r, extractFields[:]))
			return e
		}
		return g.call(one(g.r, []string{"+", "-", "*", "/", "power"}), D, depth, D, D)
	case S:
		switch g.r.IntN(7) {
		case 6:
			if g.r.IntN(2) == 0 {
				return g.call("like_escape", S, depth, S, S)
			}
			return g.call("local_text", S, depth, T)
		case 0:
			return g.call(one(g.r, []string{"lower", "upper"}), S, depth, S)
		case 1:
			return g.call("substr", S, depth, append([]batch.Type{S}, g.times(I, 1+g.r.IntN(2))...)...)
		case 2:
			return g.call("concat", S, depth, g.times(S, 1+g.r.IntN(3))...)
		case 3:
			return g.call("replace", S, depth, S, S, S)
		case 4:
			return g.call("split_part", S, depth, S, S, I)
		}
		return g.call("||", S, depth, S, S)
	case T:
		zone := g.text(one(g.r, []string{"UTC", "Test/Zone"}))
		if g.r.IntN(2) == 0 {
			e := g.call(one(g.r, []string{"to_zone", "from_zone"}), T, depth, S, T)
			e.GetCall().Args[0] = zone
			return e
		}
		e := g.call("date_trunc", T, depth, S, T)
		e.GetCall().Args[0] = g.text(one(g.r, truncUnits[:]))
		if g.r.IntN(2) == 0 {
			e.GetCall().Args = append(e.GetCall().Args, zone)
		}
		return e
	}
	return g.leaf(t)
}

// anyType is an operation that exists for every type.
func (g grower) anyType(t batch.Type, depth int) *plan.Expr {
	switch g.r.IntN(5) {
	case 0:
		var types []batch.Type
		for range 1 + g.r.IntN(2) {
			types = append(types, batch.Bool, t)
		}
		if g.r.IntN(2) == 0 {
			types = append(types, t)
		}
		return g.call("case", t, depth, types...)
	case 1:
		return g.call(one(g.r, []string{"coalesce", "greatest", "least"}), t, depth, g.times(t, 1+g.r.IntN(3))...)
	case 2:
		return g.call("nullif", t, depth, t, t)
	}
	from := one(g.r, []batch.Type{batch.Bool, batch.Int, batch.Double, batch.String, batch.Timestamp, batch.Bytes, t})
	if !castable(from, t) {
		from = t
	}
	return g.call("cast", t, depth, from)
}

// half is the UDF of the tests: x / 2; it fails sevens.
type half struct{ t *testing.T }

func (h half) Signature() ([]batch.Type, batch.Type) {
	return []batch.Type{batch.Double}, batch.Double
}

func (h half) Call(_ int64, args []batch.Column, rows int, out *batch.Column) ([]RowError, error) {
	var failed []RowError
	for i := range rows {
		if args[0].Null(i) {
			out.AppendNull()
			continue
		}
		v := args[0].Doubles[i]
		if v == 7 {
			failed = append(failed, RowError{Row: i, Reason: "seven"})
		}
		n := out.Len()
		out.Doubles = append(out.Doubles, v/2)
		if out.Valid != nil {
			out.Valid = out.Valid.Append(n, true)
		}
	}
	return failed, nil
}

type testFunctions struct{ t *testing.T }

var errNoFunction = errors.New("no such function")

func (f testFunctions) Scalar(name string) (Scalar, error) {
	if name == "half" {
		return half(f), nil
	}
	return nil, errNoFunction
}

func TestRandomExpressions(t *testing.T) {
	descriptors := pbtest.Load(t, "../plan/testdata/plan.binpb")
	rounds := 1500
	if testing.Short() {
		rounds = 500
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		g := newGrower(r)
		typ := one(r, []batch.Type{batch.Bool, batch.Bool, batch.Int, batch.Double, batch.String, batch.Timestamp, batch.Bytes})
		e := g.expr(typ, 1+r.IntN(5))
		p, err := Compile(e, randomSchema, Env{Functions: testFunctions{t}, Zones: zones})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, descriptors.Text(t, e))
		}
		dicts := []*batch.Dict{batch.NewDict(), batch.NewDict()}
		for range 4 {
			b := randomBatch(r, one(r, []int{0, 1, 2, 63, 64, 65, 130}), dicts)
			if err := sameAsOracle(p, e, b); err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, descriptors.Text(t, e))
			}
			if r.IntN(10) == 0 {
				p.run.dict = nil // as if it were worn
			}
		}
	}
}

func sameAsOracle(p *Program, e *plan.Expr, b *batch.Batch) error {
	failed := map[int]string{}
	var double error
	note := func(row int, reason string) {
		if _, ok := failed[row]; ok {
			double = fmt.Errorf("row %d failed twice", row)
		}
		failed[row] = reason
	}
	col, err := p.Eval(b, note)
	if err != nil {
		return err
	}
	if double != nil {
		return double
	}
	if col.Len() != b.N {
		return fmt.Errorf("%d rows, want %d", col.Len(), b.N)
	}
	rows := b.Sel
	if rows == nil {
		for i := range b.N {
			rows = append(rows, uint32(i))
		}
	}
	reported := 0
	for _, i := range rows {
		o := oracle{b: b, row: int(i)}
		want := o.eval(e)
		if o.reason != "" {
			want = cell{null: true}
			reported++
		}
		if failed[int(i)] != o.reason {
			return fmt.Errorf("row %d fails with %q, want %q", i, failed[int(i)], o.reason)
		}
		if err := sameCell(col, int(i), want); err != nil {
			return err
		}
	}
	if reported != len(failed) {
		return fmt.Errorf("%d rows reported, want %d", len(failed), reported)
	}
	if p.Type() != batch.Bool {
		return nil
	}
	return sameFilter(p, e, b, rows)
}

func sameCell(col *batch.Column, i int, want cell) error {
	if col.Null(i) != want.null {
		return fmt.Errorf("row %d null %v, want %v (%+v)", i, col.Null(i), want.null, want)
	}
	if want.null {
		return nil
	}
	var ok bool
	var got any
	switch col.Type {
	case batch.Bool:
		got, ok = col.Bools[i], col.Bools[i] == want.b
	case batch.Double:
		got = col.Doubles[i]
		ok = math.Float64bits(col.Doubles[i]) == math.Float64bits(want.d)
	case batch.String:
		got, ok = col.Str(i), col.Str(i) == want.s
	case batch.Bytes:
		got, ok = col.Blob(i), string(col.Blob(i)) == string(want.p)
	default:
		got, ok = col.Ints[i], col.Ints[i] == want.i
	}
	if !ok {
		return fmt.Errorf("row %d is %v, want %+v", i, got, want)
	}
	return nil
}

func sameFilter(p *Program, e *plan.Expr, b *batch.Batch, rows []uint32) error {
	var want []uint32
	reasons := map[int]string{}
	for _, i := range rows {
		o := oracle{b: b, row: int(i)}
		if o.filter(e) && o.reason == "" {
			want = append(want, i)
		}
		if o.reason != "" {
			reasons[int(i)] = o.reason
		}
	}
	// The selection may be given as the memory of the result.
	for _, dst := range [][]uint32{nil, append([]uint32(nil), b.Sel...)} {
		in := *b
		if b.Sel != nil && dst != nil {
			in.Sel = dst
		}
		got, err := p.Filter(&in, dst, func(row int, reason string) {
			if reasons[row] != reason {
				want = append(want, math.MaxUint32)
			}
		})
		if err != nil {
			return err
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("filter gives %v, want %v", got, want)
		}
	}
	return nil
}

// FuzzCompile reads plans from outside: whatever Compile accepts must run.
func FuzzCompile(f *testing.F) {
	for seed := range 200 {
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		e := newGrower(r).expr(one(r, []batch.Type{batch.Bool, batch.Int, batch.Double, batch.String, batch.Timestamp}), 4)
		text, err := pb.Append(nil, e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e := new(plan.Expr)
		if pb.Unmarshal(text, e) != nil {
			return
		}
		p, err := Compile(e, randomSchema, Env{Functions: testFunctions{t}, Zones: zones})
		if err != nil {
			return
		}
		r := rand.New(rand.NewPCG(1, uint64(len(text))))
		dicts := []*batch.Dict{batch.NewDict(), batch.NewDict()}
		for _, n := range []int{0, 70, 3} {
			b := randomBatch(r, n, dicts)
			col, err := p.Eval(b, func(row int, _ string) {
				if row < 0 || row >= n {
					t.Fatalf("row %d of %d fails", row, n)
				}
			})
			if err != nil {
				continue // a function is unusable
			}
			if col.Type != p.Type() || col.Len() != n {
				t.Fatalf("%d rows of %s, want %d of %s", col.Len(), col.Type, n, p.Type())
			}
			if p.Type() == batch.Bool {
				if _, err := p.Filter(b, nil, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
