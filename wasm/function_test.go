package wasm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/examples/udf/dewpoint-go/magnus"
	"github.com/leatio/leat/wasm/internal/asm"
)

// climate gives rows of plausible, implausible and impossible weather.
func climate(rng *rand.Rand, n int) []batch.Column {
	temp, humidity := make([]float64, n), make([]float64, n)
	for i := range n {
		temp[i], humidity[i] = rng.Float64()*105-45, rng.Float64()*100
		if rng.IntN(8) == 0 {
			temp[i] = math.Float64frombits(rng.Uint64())
		}
		if rng.IntN(8) == 0 {
			humidity[i] = math.Float64frombits(rng.Uint64())
		}
		if rng.IntN(50) == 0 {
			humidity[i] = math.Float64frombits(rng.Uint64N(1 << 52)) // subnormal
		}
	}
	return []batch.Column{doubles(temp...), doubles(humidity...)}
}

func TestExamplesGiveTheSameBits(t *testing.T) {
	const rows = 20_000 // more than one chunk
	args := climate(rand.New(rand.NewPCG(1, 2)), rows)
	engines(t, func(t *testing.T, cfg Config) {
		for _, language := range []string{"c", "go"} {
			f := load(t, cfg, example(t, language), "dewpoint")
			out, errs := call(t, f, args, rows)
			if len(errs) > 0 {
				t.Fatalf("%s: %v", language, errs[0])
			}
			for i := range rows {
				want, ok := magnus.DewPoint(args[0].Doubles[i], args[1].Doubles[i])
				if want != want {
					want = batch.CanonicalNaN
				}
				if got := out.Doubles[i]; out.Null(i) == ok || ok && math.Float64bits(got) != math.Float64bits(want) {
					t.Fatalf("%s: dewpoint(%v, %v) = %v (%x), null %v; want %v (%x), null %v", language, args[0].Doubles[i], args[1].Doubles[i],
						got, math.Float64bits(got), out.Null(i), want, math.Float64bits(want), !ok)
				}
			}
		}
	})
}

// The formula with the standard library's logarithm, and values of psychrometric tables.
func TestDewPointIsRight(t *testing.T) {
	for _, row := range []struct{ temp, humidity, want float64 }{
		{20, 50, 9.26}, {25, 60, 16.69}, {30, 100, 30}, {0, 80, -3.04}, {-10, 70, -14.44},
	} {
		got, ok := magnus.DewPoint(row.temp, row.humidity)
		if !ok || math.Abs(got-row.want) > 0.02 {
			t.Errorf("dewpoint(%v, %v) = %v, want about %v", row.temp, row.humidity, got, row.want)
		}
		gamma := math.Log(row.humidity/100) + 17.62*row.temp/(243.12+row.temp)
		if exact := 243.12 * gamma / (17.62 - gamma); math.Abs(got-exact) > 1e-12 {
			t.Errorf("dewpoint(%v, %v) = %v, with math.Log %v", row.temp, row.humidity, got, exact)
		}
	}
}

func TestRowsWithNullArgumentsStayAwayFromTheGuest(t *testing.T) {
	// The guest traps on a row below 0: below nulls stand such values.
	engines(t, func(t *testing.T, cfg Config) {
		f := load(t, cfg, doubleGuest(whenNegative(asm.Unreachable())), "f")
		for _, nulls := range []int{0, 1, 700, 5000} {
			in := batch.Column{Type: batch.Double}
			for i := range 5000 {
				in.Doubles = append(in.Doubles, float64(i))
			}
			in.Valid = batch.NewBitmap(5000, true)
			for i := range nulls {
				r := i * 5000 / nulls
				in.Doubles[r] = -1
				in.Valid.Clear(r)
			}
			out, errs := call(t, f, []batch.Column{in}, 5000)
			if len(errs) > 0 {
				t.Fatal(errs[0])
			}
			for i := range 5000 {
				if out.Null(i) != in.Null(i) || !out.Null(i) && out.Doubles[i] != in.Doubles[i] {
					t.Fatalf("%d nulls: row %d is %v (null %v), want %v (null %v)", nulls, i, out.Doubles[i], out.Null(i), in.Doubles[i], in.Null(i))
				}
			}
		}
	})
}

// columnsOf makes a column of each type with nulls, empty strings and odd values.
func columnsOf(n int) []batch.Column {
	dict := batch.NewDict()
	var cols []batch.Column
	for typ := batch.Bool; typ <= batch.Timestamp; typ++ {
		c := batch.Column{Type: typ}
		if typ == batch.String {
			c.Dict = dict
		}
		one := batch.Column{Type: typ, Bools: []bool{true}, Ints: []int64{0}, Doubles: []float64{0}, Codes: []uint32{0}, Dict: dict}
		for i := range n {
			if i%5 == 3 {
				c.AppendNull()
				continue
			}
			text := strings.Repeat("é", i%4)
			one.Bools[0], one.Ints[0], one.Doubles[0], one.Codes[0] = i%3 == 0, -int64(i)<<40, float64(i)/7, dict.CodeString(text)
			one.Offsets, one.Data = []uint32{0, uint32(len(text))}, []byte(text)
			c.AppendFrom(&one, 0)
		}
		cols = append(cols, c)
	}
	return cols
}

func TestEveryTypeGoesInAndOut(t *testing.T) {
	engines(t, func(t *testing.T, cfg Config) {
		for _, in := range columnsOf(4500) {
			for _, nulls := range []string{"propagate", "call"} {
				f := load(t, cfg, guest(manifestText(nulls, in.Type, in.Type), echo()).Bytes(), "f")
				out, errs := call(t, f, []batch.Column{in}, 4500)
				if len(errs) > 0 {
					t.Fatalf("%v: %v", in.Type, errs[0])
				}
				for i := range 4500 {
					if got, want := show(&out, i), show(&in, i); got != want {
						t.Fatalf("%v, %s: row %d is %s, want %s", in.Type, nulls, i, got, want)
					}
				}
			}
		}
	})
}

func show(c *batch.Column, i int) string {
	switch {
	case c.Null(i):
		return "null"
	case c.Type == batch.Bool:
		return fmt.Sprint(c.Bools[i])
	case c.Type == batch.Double:
		return fmt.Sprintf("%x", math.Float64bits(c.Doubles[i]))
	case c.Type == batch.String:
		return c.Str(i)
	case c.Type == batch.Bytes:
		return string(c.Blob(i))
	}
	return fmt.Sprint(c.Ints[i])
}

func TestNaNHasOneBitPattern(t *testing.T) {
	f := load(t, Config{}, doubleGuest(echo()), "f")
	out, _ := call(t, f, []batch.Column{doubles(math.Float64frombits(0xfff8000000000123), 1)}, 2)
	if got := math.Float64bits(out.Doubles[0]); got != math.Float64bits(batch.CanonicalNaN) {
		t.Errorf("the NaN came out as %x", got)
	}
}

// A result column may hold rows already, with or without nulls.
func TestResultsAreAppended(t *testing.T) {
	f := load(t, Config{}, doubleGuest(whenNegative(asm.Unreachable())), "f")
	out := doubles(9)
	for range 2 {
		if _, err := f.Call(0, []batch.Column{doubles(1, -1, 2)}, 3, &out); err != nil {
			t.Fatal(err)
		}
	}
	got := ""
	for i := range out.Len() {
		if out.Null(i) {
			got += " null"
		} else {
			got += fmt.Sprint(" ", out.Doubles[i])
		}
	}
	if want := " 9 1 null 2 1 null 2"; got != want {
		t.Errorf("got%s, want%s", got, want)
	}
}

func TestLargeRowsGoInParts(t *testing.T) {
	f := load(t, Config{MaxInputBytes: 4096}, guest(manifestText("propagate", batch.String, batch.String), echo()).Bytes(), "f")
	in := batch.Column{Type: batch.String, Dict: batch.NewDict()}
	for i := range 200 {
		in.Codes = append(in.Codes, in.Dict.CodeString(strings.Repeat("x", 1000+i)))
	}
	in.Codes[77] = in.Dict.CodeString(strings.Repeat("y", 5000))
	out, errs := call(t, f, []batch.Column{in}, 200)
	if len(errs) != 1 || errs[0].Row != 77 || !strings.Contains(errs[0].Reason, "was not called: the row takes 5072 bytes, at most 4096") {
		t.Fatalf("errors %v", errs)
	}
	for i := range 200 {
		if i != 77 && out.Str(i) != in.Str(i) || out.Null(i) != (i == 77) {
			t.Fatalf("row %d is wrong", i)
		}
	}
	if s := f.Stats(); s.Replaced != 0 || s.Rejected != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestWrongCallsAreErrors(t *testing.T) {
	f := load(t, Config{}, doubleGuest(echo()), "f")
	out := doubles()
	for _, c := range []struct {
		args []batch.Column
		out  batch.Column
		want string
	}{
		{nil, out, "takes 1 arguments, not 0"},
		{[]batch.Column{{Type: batch.Int, Ints: []int64{1}}}, out, "argument a0 of function f@1.2.0 has type double, not int"},
		{[]batch.Column{doubles()}, out, "has 0 rows, not 1"},
		{[]batch.Column{doubles(1)}, batch.Column{Type: batch.Int}, "the result of function f@1.2.0 has type double, not int"},
	} {
		if _, err := f.Call(0, c.args, 1, &c.out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Call(0, []batch.Column{doubles(1)}, 1, &out); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed function's Call gave %v", err)
	}
	if err := f.Reset(); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed function's Reset gave %v", err)
	}
}

func TestSteadyCallsDoNotAllocate(t *testing.T) {
	args := climate(rand.New(rand.NewPCG(3, 4)), MaxRows)
	for i := range args[1].Doubles { // no null results: a null bitmap is the caller's memory
		args[0].Doubles[i], args[1].Doubles[i] = 20, float64(1+i%100)
	}
	for _, c := range []struct {
		unbounded bool
		most      float64
	}{{true, 0}, {false, 6}} { // the engine's own: three for each of the two calls that can be ended
		f := load(t, Config{unbounded: c.unbounded}, example(t, "c"), "dewpoint")
		out := doubles()
		if _, err := f.Call(0, args, MaxRows, &out); err != nil {
			t.Fatal(err)
		}
		allocs := testing.AllocsPerRun(50, func() {
			out.Reset()
			if errs, err := f.Call(0, args, MaxRows, &out); err != nil || len(errs) > 0 {
				t.Fatal(errs, err)
			}
		})
		if allocs > c.most {
			t.Errorf("unbounded %v: %v allocations a call, want at most %v", c.unbounded, allocs, c.most)
		}
	}
}

func TestResetGivesAFreshInstance(t *testing.T) {
	// The guest counts its calls in memory and returns the count.
	body := asm.Cat(asm.I32Const(8), asm.I32Const(8), asm.I32Load(0), asm.I32Const(1), []byte{0x6a, 0x36, 2, 0}, // memory[8]++
		asm.I32Const(region), asm.I32Load(48), asm.I32Const(region), []byte{0x6a}, asm.I32Const(8), asm.I32Load(0), []byte{0xb7, 0x39, 3, 0}, echo())
	engines(t, func(t *testing.T, cfg Config) {
		f := load(t, cfg, doubleGuest(body), "f")
		for _, want := range []float64{1, 2, 3, 1} {
			if want == 1 {
				if err := f.Reset(); err != nil {
					t.Fatal(err)
				}
			}
			if out, _ := call(t, f, []batch.Column{doubles(0)}, 1); out.Doubles[0] != want {
				t.Fatalf("call %v of the instance said %v", want, out.Doubles[0])
			}
		}
	})
}

func TestScalarNamesWhatIsWrong(t *testing.T) {
	manifest := `{"abi":1,"name":"m","version":"0.1.0","functions":[{"id":0,"name":"t","kind":"table","args":[],"columns":[{"name":"c","type":"int"}]},
		{"id":1,"name":"a","kind":"aggregate","args":[{"name":"x","type":"double"}],"result":{"type":"double"}},
		{"id":2,"name":"k","kind":"keyed","args":[],"columns":[{"name":"c","type":"int"}]}]}`
	m, err := newHost(t, Config{}).Load(context.Background(), guest(manifest, echo()).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"t", "a", "k"} {
		if _, err := m.Scalar(context.Background(), name); !errors.Is(err, ErrKind) || !strings.Contains(err.Error(), "calls scalar functions only") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := m.Scalar(context.Background(), "x"); !errors.Is(err, ErrNoFunction) || !strings.Contains(err.Error(), "m@0.1.0 has no function x; it has t, a, k") {
		t.Errorf("x: %v", err)
	}
}

func TestManyFunctionsOfOneModule(t *testing.T) {
	m, err := newHost(t, Config{}).Load(context.Background(), example(t, "go"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 4)
	for w := range 4 {
		go func() {
			f, err := m.Scalar(context.Background(), "dewpoint")
			if err != nil {
				done <- err
				return
			}
			args := climate(rand.New(rand.NewPCG(uint64(w), 0)), 3000)
			out := doubles()
			deadline := time.Now().Add(200 * time.Millisecond)
			for time.Now().Before(deadline) {
				out.Reset()
				if errs, err := f.Call(0, args, 3000, &out); err != nil || len(errs) > 0 {
					done <- fmt.Errorf("%v %w", errs, err)
					return
				}
			}
			done <- f.Close()
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
