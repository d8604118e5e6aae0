package frame

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/leatio/leat/engine/batch"
)

var update = flag.Bool("update", false, "rewrite the golden vectors")

const vectorsFile = "../../udf-sdk/testdata/scalar.json"

// vector is one frame of the file that every SDK must read and write alike.
// Doubles stand as the 16 hexadecimal digits of their bits, ints and timestamps as decimal
// text, strings as text, bytes as hexadecimal digits; null is null.
type vector struct {
	Name      string         `json:"name"`
	EventTime int64          `json:"event_time"`
	Rows      int            `json:"rows"`
	Columns   []vectorColumn `json:"columns"`
	Frame     string         `json:"frame"` // hexadecimal
}

type vectorColumn struct {
	Type     string    `json:"type"`
	Nullable bool      `json:"nullable"`
	Values   []*string `json:"values"`
}

func text(c *batch.Column, i int) *string {
	s := ""
	switch {
	case c.Null(i):
		return nil
	case c.Type == batch.Bool:
		s = strconv.FormatBool(c.Bools[i])
	case c.Type == batch.Double:
		s = fmt.Sprintf("%016x", math.Float64bits(c.Doubles[i]))
	case c.Type == batch.String:
		s = c.Str(i)
	case c.Type == batch.Bytes:
		s = hex.EncodeToString(c.Blob(i))
	default:
		s = strconv.FormatInt(c.Ints[i], 10)
	}
	return &s
}

// column is the inverse of text.
func column(t testing.TB, v vectorColumn) batch.Column {
	t.Helper()
	typ, ok := batch.ParseType(v.Type)
	if !ok {
		t.Fatalf("type %q", v.Type)
	}
	c := batch.Column{Type: typ}
	if typ == batch.String {
		c.Dict = batch.NewDict()
	}
	for _, s := range v.Values {
		if s == nil {
			c.AppendNull()
			continue
		}
		appendText(t, &c, *s)
		if c.Valid != nil {
			c.Valid = c.Valid.Append(c.Len()-1, true)
		}
	}
	return c
}

func appendText(t testing.TB, c *batch.Column, s string) {
	t.Helper()
	var err error
	var bits uint64
	var n int64
	switch c.Type {
	case batch.Bool:
		c.Bools = append(c.Bools, s == "true")
	case batch.Double:
		bits, err = strconv.ParseUint(s, 16, 64)
		c.Doubles = append(c.Doubles, math.Float64frombits(bits))
	case batch.String:
		c.Codes = append(c.Codes, c.Dict.CodeString(s))
	case batch.Bytes:
		var p []byte
		p, err = hex.DecodeString(s)
		c.AppendBlob(p)
	default:
		n, err = strconv.ParseInt(s, 10, 64)
		c.Ints = append(c.Ints, n)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func texts(values ...string) []*string {
	out := make([]*string, len(values))
	for i, v := range values {
		if v != "null" {
			out[i] = &v
		}
	}
	return out
}

func repeated(n int, values ...string) []*string {
	var out []*string
	for i := range n {
		out = append(out, texts(values[i%len(values)])...)
	}
	return out
}

// cases are the vectors without their bytes.
func cases() []vector {
	one := func(name, typ string, values ...string) vector {
		return vector{Name: name, Rows: len(values), Columns: []vectorColumn{{typ, strings.Contains(strings.Join(values, ","), "null"), texts(values...)}}}
	}
	return []vector{
		{Name: "two doubles, as dewpoint gets them", EventTime: 1_700_000_000_123_456, Rows: 3, Columns: []vectorColumn{
			{"double", false, texts("4034000000000000", "c024000000000000", "0000000000000000")},
			{"double", false, texts("4049000000000000", "4054000000000000", "4059000000000000")}}},
		one("one double, as dewpoint answers", "double", "402282813b2a5bd5", "null", "7ff8000000000000"),
		one("bools", "bool", "true", "false", "null", "true"),
		one("ints", "int", "9223372036854775807", "-9223372036854775808", "0"),
		one("timestamps", "timestamp", "1700000000123456", "-1", "null"),
		one("strings", "string", "", "é", "null", "two\nlines", ""),
		one("bytes", "bytes", "", "00ff", "null", "0102030405060708"),
		one("all null", "string", "null", "null"),
		{Name: "no arguments", EventTime: -1, Rows: 5, Columns: []vectorColumn{}},
		{Name: "every type, 65 rows", EventTime: 1, Rows: 65, Columns: []vectorColumn{
			{"bool", true, repeated(65, "true", "null", "false")}, {"int", true, repeated(65, "1", "null")}, {"double", false, repeated(65, "3ff0000000000000")},
			{"string", true, repeated(65, "a", "null", "bcd", "")}, {"bytes", false, repeated(65, "ff", "")}, {"timestamp", false, repeated(65, "7")}}},
		{Name: "nullable without a null", Rows: 1, Columns: []vectorColumn{{"int", true, texts("5")}}},
	}
}

// encode writes the frame of a vector.
func encode(t testing.TB, v vector) []byte {
	t.Helper()
	var out []byte
	in := Input{EventTime: v.EventTime, N: v.Rows}
	for _, c := range v.Columns {
		in.Nullable = in.Nullable || c.Nullable
		in.Args = append(in.Args, column(t, c))
	}
	out = bytes.Repeat([]byte{0xaa}, int(in.Size())) // what stood there before
	in.Put(out)
	for i, c := range v.Columns { // the flag stands per column; the host sets it for the function
		if in.Nullable && !c.Nullable {
			out[HeaderBytes+DescriptorBytes*i+1] = 0
		}
	}
	return out
}

func TestGoldenVectors(t *testing.T) {
	if *update {
		vectors := cases()
		for i := range vectors {
			vectors[i].Frame = hex.EncodeToString(encode(t, vectors[i]))
		}
		out, err := json.MarshalIndent(vectors, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(out, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range golden(t) {
		if got := hex.EncodeToString(encode(t, v)); got != v.Frame {
			t.Errorf("%s: the frame is\n%s, want\n%s", v.Name, got, v.Frame)
		}
		if len(v.Columns) != 1 {
			continue
		}
		want := column(t, v.Columns[0])
		frame, err := hex.DecodeString(v.Frame)
		if err != nil {
			t.Fatal(err)
		}
		o, err := Decode(frame, want.Type, v.Rows, 1<<20)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		got := batch.Column{Type: want.Type}
		o.Append(&got)
		same(t, &got, &want, v.Rows)
	}
}

func golden(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != len(cases()) {
		t.Fatalf("%d vectors in %s, want %d; run go test ./wasm/frame -update", len(vectors), vectorsFile, len(cases()))
	}
	return vectors
}

func same(t interface{ Fatalf(string, ...any) }, got, want *batch.Column, rows int) {
	if got.Len() != rows {
		t.Fatalf("%d rows, want %d", got.Len(), rows)
	}
	for i := range rows {
		g, w := text(got, i), text(want, i)
		if (g == nil) != (w == nil) || g != nil && *g != *w {
			t.Fatalf("row %d differs", i)
		}
	}
}

// What is put in comes out, whatever the type, the nulls, and the rows chosen.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := batch.Type(rapid.IntRange(int(batch.Bool), int(batch.Timestamp)).Draw(t, "type"))
		n := rapid.IntRange(1, 200).Draw(t, "rows")
		c := batch.Column{Type: typ, Dict: batch.NewDict()}
		nulls := rapid.Bool().Draw(t, "nulls")
		for range n {
			if nulls && rapid.Bool().Draw(t, "null") {
				c.AppendNull()
				continue
			}
			s := rapid.StringN(0, 9, -1).Draw(t, "text")
			v := rapid.Int64().Draw(t, "value")
			d := math.Float64frombits(uint64(v))
			if d != d {
				d = batch.CanonicalNaN
			}
			one := batch.Column{Type: typ, Bools: []bool{v > 0}, Ints: []int64{v}, Doubles: []float64{d}, Codes: []uint32{c.Dict.CodeString(s)}, Dict: c.Dict,
				Offsets: []uint32{0, uint32(len(s))}, Data: []byte(s)}
			c.AppendFrom(&one, 0)
		}
		in := Input{Args: []batch.Column{c}, N: n, Nullable: nulls}
		want := c
		if rapid.Bool().Draw(t, "some rows") {
			in.Start = rapid.IntRange(0, n-1).Draw(t, "start")
			in.N = rapid.IntRange(1, n-in.Start).Draw(t, "n")
			for range n {
				in.Rows = append(in.Rows, uint32(rapid.IntRange(0, n-1).Draw(t, "row")))
			}
			want = batch.Column{Type: typ}
			for _, r := range in.Rows[in.Start : in.Start+in.N] {
				want.AppendFrom(&c, int(r))
			}
		}
		buf := bytes.Repeat([]byte{0xff}, int(in.Size()))
		in.Put(buf)
		o, err := Decode(buf, typ, in.N, 1<<20)
		if err != nil {
			t.Fatalf("%v", err)
		}
		got := batch.Column{Type: typ}
		o.Append(&got)
		same(t, &got, &want, in.N)
	})
}

// Below a null stands zero, whatever stands there in the column, and what does not count in the
// batch stays out of the guest's sight.
func TestNothingShowsBelowNulls(t *testing.T) {
	valid := batch.NewBitmap(2, true)
	valid.Clear(0)
	dict := batch.NewDict()
	secret := dict.CodeString("secret")
	for _, c := range []batch.Column{
		{Type: batch.Bool, Bools: []bool{true, false}}, {Type: batch.Int, Ints: []int64{-1, 0}}, {Type: batch.Double, Doubles: []float64{math.NaN(), 0}},
		{Type: batch.String, Codes: []uint32{secret, dict.CodeString("")}, Dict: dict}, {Type: batch.Bytes, Offsets: []uint32{0, 6, 6}, Data: []byte("secret")},
	} {
		c.Valid = valid
		in := Input{Args: []batch.Column{c}, N: 2, Nullable: true}
		got := make([]byte, in.Size())
		in.Put(got)
		for i, b := range got[HeaderBytes+DescriptorBytes+8:] {
			if b != 0 {
				t.Errorf("%v: byte %d after the bitmap is %#x", c.Type, i, b)
			}
		}
	}
}

func TestConstantsUnfold(t *testing.T) {
	for _, v := range cases() {
		if len(v.Columns) != 1 {
			continue
		}
		one := v
		one.Rows, one.Columns = 1, []vectorColumn{v.Columns[0]}
		one.Columns[0].Values = one.Columns[0].Values[:1]
		buf := encode(t, one)
		buf[HeaderBytes+1] |= flagConstant
		buf[8] = 100
		want := column(t, vectorColumn{v.Columns[0].Type, true, repeated(100, deref(one.Columns[0].Values[0]))})
		o, err := Decode(buf, want.Type, 100, 1<<20)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		got := batch.Column{Type: want.Type}
		o.Append(&got)
		same(t, &got, &want, 100)
	}
}

func deref(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func TestMalformedBlobs(t *testing.T) {
	two := vector{Rows: 2, Columns: []vectorColumn{{"string", false, texts("ab", "é")}}}
	const offsets = HeaderBytes + DescriptorBytes
	for _, c := range []struct {
		at   int
		v    uint32
		want string
	}{
		{offsets, 1, "offset 1 of row 0 does not follow 0"},
		{offsets + 4, 5, "offset 5 of row 1 does not follow 0 or lies beyond 4 bytes"},
		{offsets + 8, 1, "offset 1 of row 2 does not follow 2"},
		{offsets + 4, 3, "the string in row 0 is not UTF-8"},
		{HeaderBytes + 16, 84, "the bytes at offset 84"},
		{HeaderBytes + 20, 9, "the bytes at offset 80, 9 bytes long, do not fit in a frame of 88 bytes"},
		{HeaderBytes + 12, 8, "8 bytes of values for 2 rows of type string, which take 12"},
	} {
		buf := encode(t, two)
		binary.LittleEndian.PutUint32(buf[c.at:], c.v)
		if _, err := Decode(buf, batch.String, 2, 100); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d at %d: the error is %v, want %q", c.v, c.at, err, c.want)
		}
	}
	bools := encode(t, vector{Rows: 2, Columns: []vectorColumn{{"bool", false, texts("true", "true")}}})
	bools[offsets+1] = 2
	if _, err := Decode(bools, batch.Bool, 2, 100); err == nil || !strings.Contains(err.Error(), "the bool in row 1 is 2") {
		t.Errorf("a bool of 2: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range golden(f) {
		frame, err := hex.DecodeString(v.Frame)
		if err != nil {
			f.Fatal(err)
		}
		typ := batch.Double
		if len(v.Columns) > 0 {
			typ, _ = batch.ParseType(v.Columns[0].Type)
		}
		f.Add(frame, uint8(typ), uint16(v.Rows))
	}
	f.Fuzz(func(t *testing.T, frame []byte, typ uint8, rows uint16) {
		want := batch.Type(typ%6 + 1)
		n := int(rows)%4096 + 1
		const limit = 1 << 16
		o, err := Decode(frame, want, n, limit)
		if err != nil {
			return
		}
		out := batch.Column{Type: want}
		o.Append(&out)
		o.Append(&out)
		if out.Len() != 2*n || len(out.Data) > 2*max(limit, len(frame)) {
			t.Fatalf("%d rows and %d bytes from %d rows of %d bytes", out.Len(), len(out.Data), n, len(frame))
		}
		for i := range out.Len() {
			if text(&out, i) != nil && want == batch.Double && out.Doubles[i] != out.Doubles[i] && math.Float64bits(out.Doubles[i]) != math.Float64bits(batch.CanonicalNaN) {
				t.Fatalf("row %d is another NaN", i)
			}
		}
		for i := range n {
			a, b := text(&out, i), text(&out, n+i)
			if (a == nil) != (b == nil) || a != nil && *a != *b {
				t.Fatalf("row %d came out differently the second time", i)
			}
		}
	})
}
