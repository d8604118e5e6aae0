package jsonl

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

func TestDoublesAreAsEncodingJSONWritesThem(t *testing.T) {
	for _, v := range []float64{0, 1, -1.5, 22.1, 1e-6, 9.9e-7, 1e20, 1e21, 123456789.125, math.MaxFloat64, math.SmallestNonzeroFloat64, 0.1 + 0.2} {
		got := AppendDouble(nil, v)
		var back float64
		if err := json.Unmarshal(got, &back); err != nil || back != v {
			t.Errorf("%v is written %s, which reads back as %v, %v", v, got, back, err)
		}
	}
	if got := string(AppendDouble(nil, 22)); got != "22" {
		t.Errorf("22 is written %s", got)
	}
	if got := string(AppendDouble(nil, math.NaN())); got != `"NaN"` {
		t.Errorf("NaN is written %s", got)
	}
}

// TestShortDoubles compares decimals with a few places, and their neighbours, with strconv.
func TestShortDoubles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200_000 {
		v := float64(rng.Int64N(4e9)-2e9) / math.Pow10(rng.IntN(7))
		switch rng.IntN(6) {
		case 0:
			v = math.Nextafter(v, math.Inf(1))
		case 1:
			v *= math.Pow10(rng.IntN(30) - 15)
		}
		format := byte('f')
		if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
			format = 'e'
		}
		if got, want := string(AppendDouble(nil, v)), strconv.FormatFloat(v, format, -1, 64); got != want {
			t.Fatalf("%x is written %s, want %s", math.Float64bits(v), got, want)
		}
	}
	if got := string(AppendDouble(nil, math.Copysign(0, -1))); got != "-0" {
		t.Errorf("negative zero is written %s", got)
	}
}

// TestTimesAndDeletedRows writes rows with nulls, equal and different times, and one that deletes.
func TestLines(t *testing.T) {
	s := batch.Schema{{Name: "t", Type: batch.Timestamp}, {Name: plan.Revision, Type: batch.Int}, {Name: "a", Type: batch.Timestamp}, {Name: "b", Type: batch.Timestamp},
		{Name: "c", Type: batch.Timestamp}, {Name: "d", Type: batch.Timestamp}, {Name: "v", Type: batch.Double}}
	b := batch.New(s)
	for i := range int64(4) {
		for c := range s {
			switch {
			case s[c].Type == batch.Double:
				b.Cols[c].Doubles = append(b.Cols[c].Doubles, float64(i)/4)
			case i == 2 && c == 0:
				b.Cols[c].AppendNull()
				continue
			default:
				b.Cols[c].Ints = append(b.Cols[c].Ints, int64(c)*1_000_000+i/2)
			}
			if b.Cols[c].Valid != nil {
				b.Cols[c].Valid = b.Cols[c].Valid.Append(int(i), true)
			}
		}
		b.N++
	}
	b.Deleted = batch.NewBitmap(4, false)
	b.Deleted.Set(3)
	b.Sel = []uint32{0, 2, 3}
	want := `{"t":"1970-01-01T00:00:00Z","a":"1970-01-01T00:00:02Z","b":"1970-01-01T00:00:03Z","c":"1970-01-01T00:00:04Z","d":"1970-01-01T00:00:05Z","v":0}
{"t":null,"a":"1970-01-01T00:00:02.000001Z","b":"1970-01-01T00:00:03.000001Z","c":"1970-01-01T00:00:04.000001Z","d":"1970-01-01T00:00:05.000001Z","v":0.5}
{"t":"1970-01-01T00:00:00.000001Z","a":"1970-01-01T00:00:02.000001Z","b":"1970-01-01T00:00:03.000001Z","c":"1970-01-01T00:00:04.000001Z","d":"1970-01-01T00:00:05.000001Z","v":0.75,"_deleted":true}
`
	if got := string(Append(nil, s, b)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func FuzzString(f *testing.F) {
	for _, s := range []string{"", "plain", "quote \" and \\", "\x00\x1f\n\t", "\xff\xfe", "grün 😀", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		if err := json.Unmarshal(AppendString(nil, s), &back); err != nil {
			t.Fatalf("%q is written %s: %v", s, AppendString(nil, s), err)
		}
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var std string
		if err := json.Unmarshal(want, &std); err != nil {
			t.Fatal(err)
		}
		if back != std {
			t.Fatalf("%q reads back as %q, want %q", s, back, std)
		}
	})
}

func TestTimesAndDeletedRows(t *testing.T) {
	s := batch.Schema{{Name: "window_end", Type: batch.Timestamp}, {Name: "k", Type: batch.String}, {Name: "b", Type: batch.Bytes}, {Name: "f", Type: batch.Bool}, {Name: "_revision", Type: batch.Int}}
	b := batch.New(s)
	d := batch.NewDict()
	b.Cols[0].Ints = []int64{1_700_000_000_000_000, 1_700_000_000_500_000}
	b.Cols[1].Dict, b.Cols[1].Codes = d, []uint32{d.CodeString("x"), d.CodeString("y")}
	b.Cols[2].AppendBlob([]byte("hi"))
	b.Cols[2].AppendNull()
	b.Cols[3].Bools, b.Cols[4].Ints = []bool{true, false}, []int64{1, 2}
	b.N = 2
	want := `{"window_end":"2023-11-14T22:13:20Z","k":"x","b":"aGk=","f":true}
{"window_end":"2023-11-14T22:13:20.5Z","k":"y","b":null,"f":false}
`
	if got := string(Append(nil, s, b)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	b.Sel = []uint32{1}
	if got := string(Append(nil, s, b)); got != want[strings.Index(want, "\n")+1:] {
		t.Errorf("with a selection: %s", got)
	}
}
