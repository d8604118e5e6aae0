package decode

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

func col(name string, t batch.Type, unit plan.TimeUnit) *plan.SourceColumn {
	return &plan.SourceColumn{Name: name, Type: uint32(t), Unit: unit}
}

// everyType is a source with a column of each type and unit.
func everyType(format string) *plan.Source {
	return &plan.Source{Format: format, Columns: []*plan.SourceColumn{
		col("b", batch.Bool, 0),
		col("i", batch.Int, 0),
		col("d", batch.Double, 0),
		col("s", batch.String, 0),
		col("x", batch.Bytes, 0),
		col("t", batch.Timestamp, plan.TimeUnit_TIME_UNIT_RFC3339),
		col("ts", batch.Timestamp, plan.TimeUnit_TIME_UNIT_SECONDS),
		col("tm", batch.Timestamp, plan.TimeUnit_TIME_UNIT_MILLIS),
		col("tu", batch.Timestamp, plan.TimeUnit_TIME_UNIT_MICROS),
		col("tn", batch.Timestamp, plan.TimeUnit_TIME_UNIT_NANOS),
	}}
}

func newDecoder(t testing.TB, src *plan.Source, limits Limits) *Decoder {
	t.Helper()
	d, err := New(src, Meta{Agent: "gw-1", Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func messages(payloads ...string) []source.Message {
	var msgs []source.Message
	for _, p := range payloads {
		msgs = append(msgs, source.Message{Topic: "t/1", Payload: []byte(p), ReceivedMicros: 42})
	}
	return msgs
}

// dump writes the rows and rejects of a batch as text.
func dump(src *plan.Source, d *Decoder, msgs []source.Message) (rows []string, rejects []string) {
	b := batch.New(src.Schema())
	d.Decode(b, msgs, func(_ string, payload []byte, reason string) {
		at := slices.IndexFunc(msgs, func(m source.Message) bool {
			return len(payload) == 0 && len(m.Payload) == 0 || len(payload) > 0 && len(m.Payload) > 0 && &m.Payload[0] == &payload[0]
		})
		rejects = append(rejects, fmt.Sprintf("%d: %s", at, reason))
	})
	return dumpBatch(src, b), rejects
}

func dumpBatch(src *plan.Source, b *batch.Batch) (rows []string) {
	for r := range b.N {
		var out []string
		for i := range b.Cols {
			c := &b.Cols[i]
			if c.Len() != b.N {
				panic(fmt.Sprintf("column %d has %d rows of %d", i, c.Len(), b.N))
			}
			if c.Null(r) {
				continue
			}
			var v string
			switch c.Type {
			case batch.Bool:
				v = strconv.FormatBool(c.Bools[r])
			case batch.Double:
				v = fmt.Sprintf("%v/%x", c.Doubles[r], math.Float64bits(c.Doubles[r]))
			case batch.String:
				v = strconv.Quote(c.Str(r))
			case batch.Bytes:
				v = base64.StdEncoding.EncodeToString(c.Blob(r))
			default:
				v = strconv.FormatInt(c.Ints[r], 10)
			}
			out = append(out, src.Columns[i].Name+"="+v)
		}
		rows = append(rows, strings.Join(out, " "))
	}
	return rows
}

func bitsOf(v float64) string { return fmt.Sprintf("d=%v/%x", v, math.Float64bits(v)) }

func TestJSONValues(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{}`, ``},
		{` { } `, ``},
		{`{"b":true,"i":-12,"d":22.0,"s":"dev-0361","x":"aGk="}`, `b=true i=-12 ` + bitsOf(22) + ` s="dev-0361" x=aGk=`},
		{"{ \"b\" : false ,\n\t\"s\" : \"\" }", `b=false s=""`},
		{`{"i":9223372036854775807}`, `i=9223372036854775807`},
		{`{"i":-9223372036854775808}`, `i=-9223372036854775808`},
		{`{"i":12.0}`, `i=12`},
		{`{"i":1.2e1}`, `i=12`},
		{`{"i":120e-1}`, `i=12`},
		{`{"i":0e999999999999}`, `i=0`},
		{`{"i":-0}`, `i=0`},
		{`{"d":-0}`, bitsOf(math.Copysign(0, -1))},
		{`{"d":0.1}`, bitsOf(0.1)},
		{`{"d":9007199254740993}`, bitsOf(9007199254740992)},
		{`{"d":123456789.123456789123456789}`, bitsOf(123456789.123456789123456789)},
		{`{"d":1e23}`, bitsOf(1e23)},
		{`{"d":5e-324}`, bitsOf(5e-324)},
		{`{"d":0.0000000000000000001}`, bitsOf(1e-19)},
		{`{"d":7}`, bitsOf(7)},
		{`{"s":"a\"b\u00e9\ud83d\ude00"}`, `s="a\"bé😀"`},
		{`{"s":"größer als acht Bytes"}`, `s="größer als acht Bytes"`},
		{"{\"s\":\"\xff\"}", `s="�"`},
		{`{"s":"1","s":"2"}`, `s="2"`},
		{`{"i":1,"i":null}`, ``},
		{`{"i":"one","i":2}`, `i=2`},
		{`{"\u0069":3}`, `i=3`},
		{`{"i":null,"s":null,"b":null,"x":null}`, ``},
		{`{"t":"2026-01-02T15:04:05Z"}`, `t=1767366245000000`},
		{`{"t":"2026-01-02T15:04:05.123456789+01:30"}`, `t=1767360845123456`},
		{`{"t":"1969-12-31 23:59:59.5-00:00"}`, `t=-500000`},
		{`{"ts":1700000000,"tm":1700000000001,"tu":1700000000000002,"tn":1700000000000000999}`, `ts=1700000000000000 tm=1700000000001000 tu=1700000000000002 tn=1700000000000000`},
		{`{"ts":1700000000.25,"tm":1.7e12,"tn":-1}`, `ts=1700000000250000 tm=1700000000000000 tn=-1`},
		{`{"ts":-1.0000001}`, `ts=-1000001`},
		{`{"other":{"deep":[1,2,{"x":"}\"]"}],"e":{}},"more":[ ],"i":5,"last":"\u12aF\/"}`, `i=5`},
	} {
		d := newDecoder(t, everyType("json"), Limits{})
		rows, rejects := dump(everyType("json"), d, messages(c.in))
		if len(rejects) > 0 || len(rows) != 1 || rows[0] != c.want {
			t.Errorf("%s\n got %q, rejects %q\nwant %q", c.in, rows, rejects, c.want)
		}
	}
}

func TestJSONRejects(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 10) + "1" + strings.Repeat("}", 10)
	for _, c := range []struct{ in, want string }{
		{``, "the message is empty"},
		{`  `, "the message is empty"},
		{`{"d":"22"}`, `column "d": expected a number, found a string`},
		{`{"s":22}`, `column "s": expected a string, found a number`},
		{`{"s":{"a":1}}`, `column "s": expected a string, found an object`},
		{`{"b":1}`, `column "b": expected true or false, found a number`},
		{`{"i":12.5}`, `column "i": expected a whole number, found a fraction`},
		{`{"i":9223372036854775808}`, `column "i": number out of range`},
		{`{"i":1e999999999999}`, `column "i": number out of range`},
		{`{"d":1e999}`, `column "d": number out of range`},
		{`{"ts":9223372036855}`, `column "ts": number out of range`},
		{`{"x":"!"}`, `column "x": expected base64: illegal base64 data at input byte 0`},
		{`{"t":"yesterday"}`, `column "t": expected a timestamp such as 2026-01-02T15:04:05.678Z, found "yesterday"`},
		{`{"t":"2026-02-29T00:00:00Z"}`, `column "t": expected a timestamp such as 2026-01-02T15:04:05.678Z, found "2026-02-29T00:00:00Z"`},
		{`{"t":1700000000}`, `column "t": expected a string, found a number`},
		{`{"i":1`, `malformed JSON: unexpected end of JSON input at byte 6`},
		{`{"i":01}`, `malformed JSON: invalid character '1' after object key:value pair at byte 7`},
		{`{"i":1} x`, `malformed JSON: invalid character 'x' after top-level value at byte 9`},
		{`{"i":1,}`, `malformed JSON: invalid character '}' looking for beginning of object key string at byte 8`},
		{`{"u":"\q"}`, `malformed JSON: invalid character 'q' in string escape code at byte 8`},
		{`7`, `expected an object, found a number`},
		{`[1]`, `element 0: expected an object, found a number`},
		{`[{"i":1},{"i":"x"}]`, `element 1: column "i": expected a number, found a string`},
		{`[{},{},{},{}]`, `an array of 4 rows: the limit is 3`},
		{deep, `values nest deeper than the limit (8)`},
		{`{"long":"` + strings.Repeat("x", 300) + `"}`, `the message is larger than the limit (200 bytes)`},
	} {
		d := newDecoder(t, everyType("json"), Limits{Depth: 8, Rows: 3, MessageBytes: 200})
		rows, rejects := dump(everyType("json"), d, messages(c.in))
		if len(rows) != 0 || len(rejects) != 1 || rejects[0] != "0: "+c.want {
			t.Errorf("%s\n got %q, rows %q\nwant %q", c.in, rejects, rows, c.want)
		}
	}
}

func TestOversizedMessageIsRejected(t *testing.T) {
	d := newDecoder(t, everyType("json"), Limits{})
	rows, rejects := dump(everyType("json"), d, []source.Message{{Payload: []byte(`{"i":1}`), Oversized: true}})
	if len(rows) != 0 || len(rejects) != 1 || !strings.Contains(rejects[0], "larger than the limit") {
		t.Fatalf("rows %q, rejects %q", rows, rejects)
	}
}

// TestRejectLeavesNeighboursAlone mixes good and bad messages, objects and
// arrays, so that half-written rows have to be taken back.
func TestRejectLeavesNeighboursAlone(t *testing.T) {
	src := everyType("json")
	d := newDecoder(t, src, Limits{})
	msgs := messages(
		`{"x":"aGk=","i":1}`,
		`{"x":"aGk=","s":null,"i":"bad"}`,
		`[{"i":2},{"x":"AAAA"},{"i":3,"b":null}]`,
		`[{"x":"aGk=","i":4},{"x":"aGk=","i":"bad"}]`,
		`[]`,
		`{"i":5,"s":"é"}`,
	)
	b := batch.New(src.Schema())
	var rejected []string
	d.Decode(b, msgs, func(_ string, payload []byte, reason string) { rejected = append(rejected, string(payload)) })
	got := strings.Join(dumpBatch(src, b), "\n")
	want := "i=1 x=aGk=\ni=2\nx=AAAA\ni=3\ni=5 s=\"é\""
	if got != want || !slices.Equal(rejected, []string{string(msgs[1].Payload), string(msgs[3].Payload)}) {
		t.Fatalf("got %v rejects %v, want\n%s", got, rejected, want)
	}
	for row, msg := range []int{0, 2, 2, 2, 5} {
		topic, payload := b.Origin.Message(row)
		if topic != "t/1" || !bytes.Equal(payload, msgs[msg].Payload) {
			t.Errorf("row %d comes from %q %q", row, topic, payload)
		}
	}
}

// TestManyRowsPerMessage needs more room than a row per message.
func TestManyRowsPerMessage(t *testing.T) {
	var rows []string
	for i := range 1000 {
		rows = append(rows, fmt.Sprintf(`{"i":%d,"s":"k%d"}`, i, i%7))
	}
	src := everyType("json")
	d := newDecoder(t, src, Limits{})
	got, rejects := dump(src, d, messages("["+strings.Join(rows, ",")+"]"))
	if len(rejects) > 0 || len(got) != 1000 || got[999] != `i=999 s="k5"` {
		t.Fatalf("%d rows, rejects %q", len(got), rejects)
	}
}

func TestHiddenColumns(t *testing.T) {
	src := &plan.Source{Format: "json", Columns: []*plan.SourceColumn{
		{Name: "_topic", Type: uint32(batch.String), Hidden: plan.Hidden_HIDDEN_TOPIC},
		col("i", batch.Int, 0),
		{Name: "_agent", Type: uint32(batch.String), Hidden: plan.Hidden_HIDDEN_AGENT},
		{Name: "_received_at", Type: uint32(batch.Timestamp), Hidden: plan.Hidden_HIDDEN_RECEIVED_AT},
	}}
	d := newDecoder(t, src, Limits{})
	msgs := messages(`{"i":1,"_agent":"forged"}`, `{"i":2}`)
	msgs[1].Topic, msgs[1].ReceivedMicros = "t/2", 43
	rows, rejects := dump(src, d, msgs)
	want := []string{`_topic="t/1" i=1 _agent="gw-1" _received_at=42`, `_topic="t/2" i=2 _agent="gw-1" _received_at=43`}
	if len(rejects) > 0 || fmt.Sprint(rows) != fmt.Sprint(want) {
		t.Fatalf("got %q %q", rows, rejects)
	}
}

// TestKeyOrderChanges feeds rows whose keys move, come and go.
func TestKeyOrderChanges(t *testing.T) {
	src := everyType("json")
	d := newDecoder(t, src, Limits{})
	rows, rejects := dump(src, d, messages(
		`{"i":1,"s":"a","u":0}`, `{"s":"b","i":2}`, `{"u":1,"v":2,"s":"c","i":3}`, `{"i":4}`, `{"ü":1,"s":"e","i":5}`, `{"ü":2,"s":"f","i":6}`,
	))
	want := `[i=1 s="a" i=2 s="b" i=3 s="c" i=4 i=5 s="e" i=6 s="f"]`
	if len(rejects) > 0 || fmt.Sprint(rows) != want {
		t.Fatalf("got %v %q", rows, rejects)
	}
}

// TestColumnNameThatLooksLikeJSON: the predicted text of a key must not match
// across a value.
func TestColumnNameThatLooksLikeJSON(t *testing.T) {
	src := &plan.Source{Format: "json", Columns: []*plan.SourceColumn{col(`a":1,"b`, batch.Int, 0)}}
	d := newDecoder(t, src, Limits{})
	rows, rejects := dump(src, d, messages(`{"a\":1,\"b":7}`, `{"a":1,"b":8}`))
	if len(rejects) > 0 || fmt.Sprint(rows) != `[a":1,"b=7 ]` {
		t.Fatalf("got %q %q", rows, rejects)
	}
}

// TestCodesStayUntilTheDictIsFull: a code keeps its meaning from batch to
// batch, and a full Dict is replaced between batches.
func TestCodesStayUntilTheDictIsFull(t *testing.T) {
	src := &plan.Source{Format: "json", Columns: []*plan.SourceColumn{col("s", batch.String, 0)}}
	d := newDecoder(t, src, Limits{MessageBytes: 1 << 25})
	b := batch.New(src.Schema())
	none := func(_ string, _ []byte, reason string) { t.Errorf("rejected: %s", reason) }
	d.Decode(b, messages(`{"s":"a"}`, `{"s":"b"}`), none)
	dict, code := b.Cols[0].Dict, b.Cols[0].Codes[1]
	d.Decode(b, messages(`{"s":"b"}`), none)
	if b.Cols[0].Dict != dict || b.Cols[0].Codes[0] != code {
		t.Fatal("the code of a known string changed")
	}
	for i := range 4 {
		d.Decode(b, messages(`{"s":"`+strings.Repeat(strconv.Itoa(i), 17<<20)+`"}`), none)
	}
	if !dict.Full() {
		t.Fatal("the test did not fill the Dict")
	}
	d.Decode(b, messages(`{"s":"b"}`), none)
	if b.Cols[0].Dict == dict || b.Cols[0].Str(0) != "b" {
		t.Fatal("a full Dict was kept, or the string cache outlived it")
	}
}

func TestInternLengths(t *testing.T) {
	src := &plan.Source{Format: "json", Columns: []*plan.SourceColumn{col("s", batch.String, 0)}}
	d := newDecoder(t, src, Limits{})
	var payloads, want []string
	for n := range 20 {
		for _, fill := range []string{"a", "b"} {
			for at := range n + 1 {
				s := strings.Repeat(fill, at) + strings.Repeat("c", n-at)
				payloads = append(payloads, `{"s":"`+s+`"}`)
				want = append(want, `s="`+s+`"`)
			}
		}
	}
	for range 3 {
		rows, rejects := dump(src, d, messages(payloads...))
		if len(rejects) > 0 || strings.Join(rows, "\n") != strings.Join(want, "\n") {
			t.Fatal("strings of some length are confused")
		}
	}
}

func TestNewRefusesDamagedPlans(t *testing.T) {
	for _, src := range []*plan.Source{
		{Format: "xml"},
		{Format: "json", Columns: []*plan.SourceColumn{col("a", 99, 0)}},
		{Format: "json", Columns: []*plan.SourceColumn{col("a", batch.Timestamp, 99)}},
		{Format: "json", Columns: []*plan.SourceColumn{{Name: "_topic", Type: uint32(batch.Int), Hidden: plan.Hidden_HIDDEN_TOPIC}}},
	} {
		if _, err := New(src, Meta{}); err == nil {
			t.Errorf("accepted %v", src)
		}
	}
}
