package decode

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/agent/source"
)

// FuzzJSON holds the scanner to the library path: what the scanner takes, the
// library takes with the same values, and what the two together reject the library rejects.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"b":true,"i":-12,"d":22.0,"s":"dev-0361","x":"aGk=","t":"2026-01-02T15:04:05.5+01:30"}`,
		`{"ts":1700000000.25,"tm":1.7e12,"tu":1,"tn":-1}`,
		`[{"i":1},{"s":null,"u":{"a":[1,{"b":"\u12ab\n"}]}}]`,
		`{"s":"a\"b","s":"é","d":1e23,"i":1.0}`, `{"d":0.1e-5,"d":9007199254740993}`, `{"i":01}`, ` [ ] `, `{"":{},"u":[[]]}`, "{\"s\":\"\xff\"}",
	} {
		f.Add([]byte(s), []byte(`{"i":1,"s":"a","u":2}`))
	}
	src := everyType("json")
	f.Fuzz(func(t *testing.T, first, second []byte) {
		limits := Limits{Depth: 6, Rows: 8, MessageBytes: 1 << 12}
		both, library := newDecoder(t, src, limits), newDecoder(t, src, limits)
		library.format = libraryOnly{library}
		msgs := []source.Message{{Payload: first}, {Payload: second}, {Payload: first}}
		gotRows, gotRejects := dump(src, both, msgs)
		wantRows, wantRejects := dump(src, library, msgs)
		if fmt.Sprint(gotRows) != fmt.Sprint(wantRows) || fmt.Sprint(gotRejects) != fmt.Sprint(wantRejects) {
			t.Fatalf("%q, %q\n     got %q %q\nlibrary %q %q", first, second, gotRows, gotRejects, wantRows, wantRejects)
		}
	})
}

// libraryOnly is JSON without the scanner.
type libraryOnly struct{ *Decoder }

func (l libraryOnly) record(p []byte) error { return l.decodeLibrary(p) }

// quotedOnly is CSV without the fast split.
type quotedOnly struct{ *csvFormat }

func (q quotedOnly) record(p []byte) error {
	if q.fields == nil {
		return errNoHeader
	}
	return q.recordQuoted(trimEOL(p))
}

// FuzzCSV holds the fast split to encoding/csv and looks for panics.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("i,s,d,b,x,t,ts"), []byte("1,a,2.5,true,aGk=,2026-01-02T15:04:05Z,1.5"))
	f.Add([]byte("i,\"s\""), []byte("1,\"a,\"\"b\"\"\""))
	f.Add([]byte("s,d"), []byte(",007.5"))
	src := everyType("csv")
	f.Fuzz(func(t *testing.T, header, record []byte) {
		fast, slow := newDecoder(t, src, Limits{}), newDecoder(t, src, Limits{})
		slow.format = quotedOnly{slow.format.(*csvFormat)}
		msgs := []source.Message{{Payload: header, Header: true}, {Payload: record}}
		if len(record) == 0 || record[0] == '\r' || record[0] == '\n' {
			return // encoding/csv skips blank lines; the file source does before us
		}
		for _, c := range trimEOL(record) {
			if c == '\n' || c == '\r' {
				return // a source gives one record per message
			}
		}
		gotRows, gotRejects := dump(src, fast, msgs)
		wantRows, wantRejects := dump(src, slow, msgs)
		if fmt.Sprint(gotRows) != fmt.Sprint(wantRows) || len(gotRejects) != len(wantRejects) {
			t.Fatalf("%q, %q\n     got %q %q\nlibrary %q %q", header, record, gotRows, gotRejects, wantRows, wantRejects)
		}
	})
}

// FuzzTimestamp holds parseRFC3339 to the standard library.
func FuzzTimestamp(f *testing.F) {
	f.Add("2026-01-02T15:04:05.123456789+01:30")
	f.Add("0000-02-29t23:59:59z")
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseRFC3339([]byte(text))
		want, err := time.Parse(time.RFC3339Nano, strings.Replace(strings.ToUpper(text), " ", "T", 1))
		if ok && (err != nil || got != want.UnixMicro()) {
			t.Fatalf("%q: got %d, want %v %v", text, got, want, err)
		}
	})
}

// FuzzDecimal holds parseDecimal to exact arithmetic.
func FuzzDecimal(f *testing.F) {
	f.Add("-12.50e3", 3)
	f.Add("9223372036854775807", 0)
	f.Add("-9223372036854775808.1", 0)
	f.Fuzz(func(t *testing.T, text string, shift int) {
		shift %= 20
		if skipNumber([]byte(text), 0) != len(text) {
			return
		}
		if e := strings.IndexAny(text, "eE"); e >= 0 && len(text)-e > 4 || len(text) > 100 {
			return // beyond what big.Rat should be asked for
		}
		got, exact, err := parseDecimal([]byte(text), shift)
		r, _ := new(big.Rat).SetString(text)
		scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(shift, -shift))), nil))
		if shift < 0 {
			scale.Inv(scale)
		}
		r.Mul(r, scale)
		floor := new(big.Int).Div(r.Num(), r.Denom())
		if (err == nil) != floor.IsInt64() || err == nil && (got != floor.Int64() || exact != r.IsInt()) {
			t.Fatalf("%s shift %d: got %d %v %v, want %s", text, shift, got, exact, err, floor)
		}
	})
}
