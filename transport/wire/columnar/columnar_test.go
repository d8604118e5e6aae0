package columnar

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/leatio/leat/engine/batch"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(3000) {
		roundTrip(t, seed, 300)
	}
}

func TestRoundTripLarge(t *testing.T) {
	for seed := range uint64(6) {
		roundTrip(t, 1_000_000+seed, 150_000)
	}
}

func TestPayloadRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		g := newGen(seed)
		schemas := map[uint32]batch.Schema{}
		var sections []Section
		for i := range g.IntN(5) {
			port := uint32(i * 1000)
			schemas[port] = append(g.schema(), batch.Field{Name: "x", Type: batch.Int})
			sections = append(sections, Section{port, g.batch(schemas[port], 400)})
		}
		lookup := func(port uint32) batch.Schema { return schemas[port] }
		p := AppendPayload([]byte("head"), sections, lookup)
		got, err := DecodePayload(p[4:], lookup, Limits{})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(got) != len(sections) {
			t.Fatalf("seed %d: %d sections, not %d", seed, len(got), len(sections))
		}
		for i := range got {
			if got[i].Port != sections[i].Port {
				t.Fatalf("seed %d: port %d, not %d", seed, got[i].Port, sections[i].Port)
			}
			mustEqual(t, rowsOf(sections[i].Batch), rowsOf(got[i].Batch))
		}
	}
}

// Doubles without any pattern must not grow.
func TestArbitraryDoublesStaySmall(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := batch.Schema{{Name: "v", Type: batch.Double}}
	for name, next := range map[string]func() float64{
		"bits": func() float64 { return math.Float64frombits(r.Uint64()) }, "unit": r.Float64, "normal": r.NormFloat64, "exponential": r.ExpFloat64,
	} {
		b := batch.New(s)
		for range 1000 {
			b.Cols[0].Doubles = append(b.Cols[0].Doubles, next())
		}
		b.N = 1000
		per := float64(payloadSize(s, b)) / 1000
		t.Logf("%s: %.2f B", name, per)
		if per > 8.3 {
			t.Errorf("%s: %.2f bytes per double, at most 8.3 are promised", name, per)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	s := batch.Schema{{Name: "a", Type: batch.Int}, {Name: "b", Type: batch.String}}
	b := batch.New(s)
	b.Cols[1].Dict = batch.NewDict()
	for i := range 100 {
		b.Cols[0].Ints = append(b.Cols[0].Ints, int64(i*i))
		b.Cols[1].Codes = append(b.Cols[1].Codes, b.Cols[1].Dict.CodeString(string(rune('a'+i%26))))
	}
	b.N = 100
	good := Append(nil, s, b)
	for _, tc := range []struct {
		name   string
		src    []byte
		schema batch.Schema
		lim    Limits
		want   error
	}{
		{"too many rows", good, s, Limits{MaxRows: 99}, ErrLimit},
		{"too many bytes", good, s, Limits{MaxBytes: 1000}, ErrLimit},
		{"fewer columns", good, s[:1], Limits{}, ErrSchema},
		{"another type", good, batch.Schema{s[0], {Name: "b", Type: batch.Bytes}}, Limits{}, ErrSchema},
		{"empty", nil, s, Limits{}, ErrCorrupt},
		{"rows without end", []byte{0xff, 0xff, 0xff}, s, Limits{}, ErrCorrupt},
	} {
		dst := batch.New(tc.schema)
		if _, err := Decode(tc.src, tc.schema, dst, tc.lim); !errors.Is(err, tc.want) {
			t.Errorf("%s: error is %v, not %v", tc.name, err, tc.want)
		}
		if dst.N != 0 || dst.Cols[0].Len() != 0 {
			t.Errorf("%s: rows were appended", tc.name)
		}
	}
	for cut := range good { // every prefix is short of something
		dst := batch.New(s)
		if _, err := Decode(good[:cut], s, dst, Limits{}); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut at %d of %d: error is %v", cut, len(good), err)
		}
	}
	dst := batch.New(s)
	dst.AppendRows(b)
	want := rowsOf(dst)
	if _, err := Decode(good[:len(good)-1], s, dst, Limits{}); err == nil {
		t.Fatal("a cut batch was taken")
	}
	mustEqual(t, want, rowsOf(dst))
}

func TestDecodePayloadRefuses(t *testing.T) {
	s := batch.Schema{{Name: "a", Type: batch.Int}}
	lookup := func(port uint32) batch.Schema {
		if port == 1 {
			return s
		}
		return nil
	}
	b := batch.New(s)
	b.Cols[0].Ints, b.N = []int64{1, 2, 3}, 3
	good := AppendPayload(nil, []Section{{1, b}}, lookup)
	unknown := AppendPayload(nil, []Section{{2, b}}, func(uint32) batch.Schema { return s })
	for _, tc := range []struct {
		name string
		src  []byte
		lim  Limits
		want error
	}{
		{"empty", nil, Limits{}, ErrCorrupt},
		{"format", append([]byte{9}, good[1:]...), Limits{}, ErrCorrupt},
		{"compression", append([]byte{1, 9}, good[2:]...), Limits{}, ErrCorrupt},
		{"trailing bytes", append(bytes.Clone(good), 0), Limits{}, ErrCorrupt},
		{"unknown port", unknown, Limits{}, ErrSchema},
		{"sections", binary.AppendUvarint([]byte{1, 0}, 1<<40), Limits{}, ErrCorrupt},
		{"bomb by length", binary.AppendUvarint([]byte{1, 1}, 1<<40), Limits{}, ErrLimit},
		{"length of nothing", append(binary.AppendUvarint([]byte{1, 1}, 32<<20), 1, 2, 3), Limits{}, ErrCorrupt},
	} {
		if _, err := DecodePayload(tc.src, lookup, tc.lim); !errors.Is(err, tc.want) {
			t.Errorf("%s: error is %v, not %v", tc.name, err, tc.want)
		}
	}
	if _, err := DecodePayload(good, lookup, Limits{}); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// The limit of rows holds for all sections together.
func TestRowsAreCountedOverSections(t *testing.T) {
	s := batch.Schema{{Name: "a", Type: batch.Int}}
	lookup := func(uint32) batch.Schema { return s }
	b := batch.New(s)
	b.Cols[0].Ints, b.N = make([]int64, 60), 60
	p := AppendPayload(nil, []Section{{1, b}, {2, b}}, lookup)
	if _, err := DecodePayload(p, lookup, Limits{MaxRows: 119}); !errors.Is(err, ErrLimit) {
		t.Errorf("error is %v, not %v", err, ErrLimit)
	}
	if _, err := DecodePayload(p, lookup, Limits{MaxRows: 120}); err != nil {
		t.Error(err)
	}
}

// Heads of columns that no writer makes.
func TestDecodeRefusesHeads(t *testing.T) {
	for _, tc := range []struct {
		name   string
		typ    batch.Type
		column []byte
	}{
		{"transform 3", batch.Int, []byte{3, 0, 0, 0, 0}},
		{"packing 3", batch.Int, []byte{3 << 2, 0, 0}},
		{"two differences of two values", batch.Int, []byte{2, 0, 0, 0}},
		{"65 bits", batch.Int, []byte{packBits << 2, 0, 65, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"no bits", batch.Int, []byte{packBits << 2, 0, 0}},
		{"no planes", batch.Int, []byte{packPlanes << 2, 0, 0, 0}},
		{"planes above bit 63", batch.Int, []byte{packPlanes << 2, 0, 57, 2, planeSame, 0, planeSame, 0}},
		{"plane of kind 9", batch.Bool, []byte{9, 0}},
		{"exception behind the end", batch.Bool, []byte{planeSparse, 0, 1, 1, 0}},
		{"more exceptions than bytes", batch.Bool, []byte{planeSparse, 0, 2, 0, 0, 0, 0}},
		{"Huffman of nothing", batch.Bool, []byte{planeHuff, 0}},
		{"doubles of form 3", batch.Double, []byte{3, 0, 0, 0}},
		{"ten places", batch.Double, []byte{doublesDecimal, 10, 0, 0, 0}},
		{"exponent 5000", batch.Double, []byte{doublesBinary, 0x90, 0x4e, 0, 0, 0}},
		{"strings of form 2", batch.String, []byte{2, 0}},
		{"empty dictionary", batch.String, []byte{stringsDictionary, 0, 0, 0}},
		{"dictionary larger than the rows", batch.String, []byte{stringsDictionary, 3, listNumber, 0, 0, 0, 0, 0, 0, 0}},
		{"place outside the dictionary", batch.String, []byte{stringsDictionary, 1, listNumber, 0, 0, 0, 0, 0, 0, 2}},
		{"list of form 2", batch.String, []byte{stringsDirect, 2, 0, 0}},
		{"negative number", batch.String, []byte{stringsDirect, listNumber, 0, 0, 4, 0, 1}},
		{"number of 19 digits", batch.String, []byte{stringsDirect, listNumber, 0, 0, 19, 0, 0}},
		{"shares more than was there", batch.String, []byte{stringsDirect, listFront, 0, 2, 0, 2, planeSame, 'a'}},
		{"negative length", batch.Bytes, []byte{0, 1}},
		{"length of 2^40", batch.Bytes, binary.AppendVarint([]byte{0}, 1<<40)},
	} {
		s := batch.Schema{{Name: "c", Type: tc.typ}}
		src := append([]byte{2, 1, byte(tc.typ)}, tc.column...)
		if _, err := Decode(src, s, batch.New(s), Limits{}); err == nil {
			t.Errorf("%s was taken", tc.name)
		} else if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// A zstd bomb of 1 GiB that says it is small, and one that says the truth.
func TestBombs(t *testing.T) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	frame := z.EncodeAll(make([]byte, 256<<20), nil)
	lookup := func(uint32) batch.Schema { return batch.Schema{{Name: "a", Type: batch.Int}} }
	for _, says := range []uint64{1000, 60 << 20, 256 << 20} {
		src := append(binary.AppendUvarint([]byte{payloadFormat, compressZstd}, says), frame...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := DecodePayload(src, lookup, Limits{}); err == nil {
			t.Errorf("a bomb that says %d bytes was taken", says)
		}
		runtime.ReadMemStats(&after)
		if grew := after.TotalAlloc - before.TotalAlloc; grew > 100<<20 {
			t.Errorf("a bomb that says %d bytes made the decoder allocate %d bytes", says, grew)
		}
	}
}

// Rows that cost nothing on the wire are bounded by what they take in memory.
func TestConstantRowsAreBounded(t *testing.T) {
	s := make(batch.Schema, 100)
	src := binary.AppendUvarint(nil, 1<<20)
	src = binary.AppendUvarint(src, uint64(len(s)))
	for i := range s {
		s[i] = batch.Field{Name: "c", Type: batch.Int}
		src = append(src, byte(batch.Int), packSame<<2, 0)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Decode(src, s, batch.New(s), Limits{})
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrLimit) {
		t.Errorf("error is %v, not %v", err, ErrLimit)
	}
	if grew := after.TotalAlloc - before.TotalAlloc; grew > 128<<20 {
		t.Errorf("%d bytes were allocated before the limit told", grew)
	}
}

func TestGolden(t *testing.T) {
	for _, tc := range []struct {
		name string
		s    batch.Schema
		b    *batch.Batch
	}{
		{"climate", climateSchema, newClimate(50, "random").batch(200, batch.NewDict())},
		{"partials", partialSchema, newClimate(40, "in-turn").partials(30)},
		{"mixed", mixedSchema, mixed()},
	} {
		path := filepath.Join("testdata", tc.name+".payload")
		lookup := func(uint32) batch.Schema { return tc.s }
		got := AppendPayload(nil, []Section{{3, tc.b}}, lookup)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// The reader must read what older writers wrote; the very bytes may
		// change with the encoder's choices, and then -update is due.
		sections, err := DecodePayload(want, lookup, Limits{})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		mustEqual(t, rowsOf(tc.b), rowsOf(sections[0].Batch))
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the encoder now gives other bytes; if that is meant, run go test -update", path)
		}
	}
}

var mixedSchema = batch.Schema{{Name: "ok", Type: batch.Bool}, {Name: "n", Type: batch.Int}, {Name: "v", Type: batch.Double},
	{Name: "s", Type: batch.String}, {Name: "p", Type: batch.Bytes}, {Name: "t", Type: batch.Timestamp}}

// mixed has every type, nulls and odd values.
func mixed() *batch.Batch {
	b := batch.New(mixedSchema)
	b.Cols[3].Dict = batch.NewDict()
	for i := range 100 {
		b.Cols[0].Bools = append(b.Cols[0].Bools, i%3 == 0)
		b.Cols[1].Ints = append(b.Cols[1].Ints, int64(i*i-50))
		b.Cols[2].Doubles = append(b.Cols[2].Doubles, []float64{0.5, math.Copysign(0, -1), math.Inf(1), 1e-300, float64(i) / 100}[min(i, 4)])
		b.Cols[3].Codes = append(b.Cols[3].Codes, b.Cols[3].Dict.CodeString([]string{"north", "south", "", "northwest"}[i%4]))
		b.Cols[4].AppendBlob(bytes.Repeat([]byte{byte(i)}, i%5))
		b.Cols[5].Ints = append(b.Cols[5].Ints, int64(i)*1_000_000)
	}
	b.N = 100
	for i := range b.Cols {
		b.Cols[i].Valid = batch.NewBitmap(100, true)
		for r := i; r < 100; r += 7 {
			b.Cols[i].Valid.Clear(r)
		}
	}
	return b
}

// An encoder that has seen batches of a size needs no more memory for the next.
func TestScratchIsReused(t *testing.T) {
	rows := newClimate(1000, "random").batch(1000, batch.NewDict())
	e := new(encoder)
	var dst []byte
	allocs := testing.AllocsPerRun(50, func() {
		dst = dst[:0]
		for i := range rows.Cols {
			dst = e.appendColumn(dst, rows, &rows.Cols[i])
		}
	})
	if allocs > 0 {
		t.Errorf("%.0f allocations per batch", allocs)
	}
}
