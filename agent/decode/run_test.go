package decode

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// byLine gives the lines of a run as messages of their own.
func byLine(text []byte) (msgs []source.Message) {
	for line := range source.Lines(text) {
		msgs = append(msgs, source.Message{Payload: line})
	}
	return msgs
}

// decoded is what came of messages, with where it came from.
func decoded(src *plan.Source, d *Decoder, msgs []source.Message) string {
	b := batch.New(src.Schema())
	var rejects []string
	n := d.Decode(b, msgs, func(_ string, payload []byte, reason string) {
		rejects = append(rejects, fmt.Sprintf("%q: %s", payload, reason))
	})
	rows := dumpBatch(src, b)
	for i := range rows {
		_, payload := b.Origin.Message(i)
		rows[i] += fmt.Sprintf(" from %q", payload)
	}
	return fmt.Sprintf("%d records\n%s\n%s", n, strings.Join(rows, "\n"), strings.Join(rejects, "\n"))
}

// FuzzJSONLines holds the decoding of runs of lines to the library path, line by line.
func FuzzJSONLines(f *testing.F) {
	f.Add([]byte(strings.Repeat(`{"s":"dev-0361","tm":1700000000001,"d":22.0,"u":49.6}`+"\n", 4)))
	f.Add([]byte(strings.Repeat(`{"s": "dev", "tm": 170000, "d": -2.5, "i": 7, "u": [1,{"a":null}], "v": "x\n"}`+"\r\n\n", 4)))
	f.Add([]byte("{\"i\":1}\n{\"i\":\n2}\n{\"i\":3}\n {\"i\":4} \n[{\"i\":5},{\"i\":6}]\n{\"i\":7}"))
	f.Add([]byte("{\"u\":{\"a\":1},\"i\":1}\n{\"u\":{\"a\":2},\"i\":1}\n{\"u\":{\"a\":\n2},\"i\":1}\n{\"u\":{\"a\":2},\"i\":1}\n"))
	f.Add([]byte("{\"d\":1.5,\"b\":true,\"t\":\"2026-01-02T15:04:05Z\",\"x\":\"aGk=\"}\n{\"d\":null,\"b\":null,\"t\":\"2026-01-02T15:04:06Z\",\"x\":\"aGl=\"}\n{\"d\":01.5,\"b\":true,\"t\":\"\",\"x\":\"\"}\n"))
	f.Add([]byte("{\"tn\":1700000000000000999,\"tu\":1700000000000001,\"ts\":1700000000.5}\n{\"tn\":1700000000000000998,\"tu\":1700000000000002,\"ts\":1700000000}\n"))
	f.Add([]byte("{\"d\":21.5,\"i\":10}\n{\"d\":01.5,\"i\":11}\n{\"d\":21.5,\"i\":01}\n{\"d\":2105,\"i\":11}\n{\"d\":21.,\"i\":11}\n"))
	f.Add([]byte("{\"s\":\"abc\",\"i\":1}\n{\"s\":\"ab\\\",\"i\":1}\n{\"s\":\"ab\x00\",\"i\":1}\n{\"s\":\"abc\",\"i\":1.5}\n{\"s\":\"abc\",\"i\":1e3}\n"))
	f.Add([]byte("{\"d\":1,\"i\":1}\n{\"d\":null,\"d\":5}\n{\"d\":2,\"i\":1}\n{\"d\":null,\"i\":[]}\n{\"d\":2,\"i\":1}\n"))
	f.Add([]byte("{\"s\":\"a\"}\n{\"s\":\"b\"}\n{\"s\":\"" + strings.Repeat("y", 300) + "\"}\n{\"s\":\"b\"}\n"))
	f.Add([]byte("{\"d\":1,\"s\":\"a\"}\n{\"d\":2,\"s\":\"b\"}\n{\"d\":null,\"s\":\"" + strings.Repeat("y", 300) + "\"}\n{\"d\":3,\"s\":\"b\"}\n"))
	src := everyType("json")
	f.Fuzz(func(t *testing.T, text []byte) {
		// Room behind the lines lets the templates cover the last ones, too.
		text = append(append(text, '\n'), strings.Repeat(" \n", 64)...)
		limits := Limits{Depth: 6, Rows: 8, MessageBytes: 1 << 8}
		lines, library := newDecoder(t, src, limits), newDecoder(t, src, limits)
		library.format = libraryOnly{library}
		want := decoded(src, library, byLine(text))
		for range 2 {
			if got := decoded(src, lines, []source.Message{{Payload: text, Lines: true}}); got != want {
				t.Fatalf("%q\n     got %s\nlibrary %s", text, got, want)
			}
		}
	})
}

// randomLine is a row as some sender may write it: form fixes what stays from row to row.
func randomLine(rng *rand.Rand, form int) string {
	num := func() string {
		v := float64(rng.IntN(2_000_000)-400_000) / math.Pow10(rng.IntN(8))
		if rng.IntN(20) == 0 {
			v = rng.NormFloat64() * 1e20
		}
		if rng.IntN(4) == 0 {
			return strconv.Itoa(rng.IntN(1000))
		}
		return strconv.FormatFloat(v, "fge"[rng.IntN(3)], -1, 64)
	}
	name := func() string { return "device-with-a-long-name"[rng.IntN(8) : 8+rng.IntN(15)] }
	null := func(s string) string {
		if rng.IntN(30) == 0 {
			return "null"
		}
		return s
	}
	value := map[string]func() string{
		"s": func() string { return `"` + name() + `"` }, "d": func() string { return null(num()) },
		"i":  func() string { return null(strconv.Itoa(rng.IntN(10))) },
		"tm": func() string { return strconv.FormatInt(1700000000000+rng.Int64N(5000), 10) }, "tu": func() string { return strconv.FormatInt(rng.Int64(), 10) },
		"tn": func() string { return strconv.FormatInt(1700000000000000000+rng.Int64N(1e9), 10) }, "b": func() string { return []string{"true", "false"}[rng.IntN(2)] },
		"u": num, "v": func() string { return []string{`"ä\n"`, `[1, 2]`, `{"a": "}"}`, `true`}[rng.IntN(4)] },
		"t": func() string { return fmt.Sprintf(`"2026-01-02T15:04:05.%03dZ"`, rng.IntN(1000)) },
	}
	keys := [][]string{{"s", "tm", "d", "u"}, {"tu", "i", "v", "b", "s"}, {"u", "a-much-longer-key", "t", "tn", "d"}, {"d"}}[form%4]
	var parts []string
	for _, k := range keys {
		f := value[k]
		if f == nil {
			f = num
		}
		colon := ":"
		if form%8 > 3 {
			colon = ": "
		}
		parts = append(parts, `"`+k+`"`+colon+f())
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// TestRunsOfLines: random rows of a few senders give what the library gives of each.
func TestRunsOfLines(t *testing.T) {
	src := everyType("json")
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 9))
		var text []byte
		for range 200 {
			text = append(text, randomLine(rng, rng.IntN(1+int(seed%7)))...)
			text = append(text, "\n"...)
			if rng.IntN(50) == 0 {
				text = append(text, []string{"\r\n", "{\n", "{}\n", "x\n", `{"s":"` + strings.Repeat("y", 200) + "\"}\n"}[rng.IntN(5)]...)
			}
		}
		limits := Limits{MessageBytes: 190}
		lines, library := newDecoder(t, src, limits), newDecoder(t, src, limits)
		library.format = libraryOnly{library}
		want := decoded(src, library, byLine(text))
		got := decoded(src, lines, []source.Message{{Payload: text, Lines: true}})
		if got != want {
			g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
			for i := range w {
				if i >= len(g) || g[i] != w[i] {
					t.Fatalf("seed %d: got %s\nwant %s", seed, g[i], w[i])
				}
			}
		}
	}
}

// TestTemplatesCoverLikeRows: rows of one form are left to no other path, once it is known.
func TestTemplatesCoverLikeRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var text bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&text, "{\"s\": \"dev-%d\", \"d\": %.1f, \"tm\": %d, \"u\": %d}\n", i, rng.NormFloat64()*100, 1700000000000+i, i)
	}
	d := newDecoder(t, everyType("json"), Limits{})
	f := d.format.(*jsonFormat)
	b := batch.New(everyType("json").Schema())
	d.Decode(b, []source.Message{{Payload: text.Bytes(), Lines: true}}, func(_ string, _ []byte, reason string) { t.Error(reason) })
	if b.N != 1000 || f.misses > 3 { // the first one, and the last, which has nothing behind it
		t.Fatalf("%d rows, %d of them without a template", b.N, f.misses)
	}
}
