package jsonl

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
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

func TestLines(t *testing.T) {
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
