package decode

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leatio/leat/agent/source"
)

// csvMessages cuts text into messages, the first line being the header.
func csvMessages(text string) []source.Message {
	lines := strings.SplitAfter(text, "|")
	msgs := messages()
	for i, l := range lines {
		msgs = append(msgs, source.Message{Topic: "rows.csv", Payload: []byte(strings.TrimSuffix(l, "|")), Header: i == 0})
	}
	return msgs
}

func TestCSV(t *testing.T) {
	for _, c := range []struct{ in, rows, rejects string }{
		{"i,s,d,b,x,t,ts,tm,tu,tn,other|1,a,2.5,TRUE,aGk=,2026-01-02T15:04:05Z,1.5,2,3,4000,zz",
			`[b=true i=1 ` + bitsOf(2.5) + ` s="a" x=aGk= t=1767366245000000 ts=1500000 tm=2000 tu=3 tn=4]`, `[]`},
		{"s, i |a, 7 | b,", `[i=7 s="a" s=" b"]`, ``},
		{"i,s|1,\"a,\"\"b\"\"\"|2,\"\"|\"3\",\"x\ny\"|+4,\"z\"", `[i=1 s="a,\"b\"" i=2 i=3 s="x\ny" i=4 s="z"]`, ``},
		{"i,s|1|1,2,3|1,\"2\",3,4|9,ok", `[i=9 s="ok"]`, `[2: found 1 fields, the header has 2 3: found 3 fields, the header has 2 4: found 4 fields, the header has 2]`},
		{"i,s|1,a\"b|2,\"a\"b|3,\"open|4,ok", `[i=4 s="ok"]`, `[2: malformed CSV: bare " in non-quoted-field 3: malformed CSV: extraneous or missing " in quoted-field 4: malformed CSV: extraneous or missing " in quoted-field]`},
		{"d,i|007.5,1|.5,2|1e3,3|0x10,4|inf,5|1_0,6|x,7|1,8.5|1,x|1,9.0", `[i=1 ` + bitsOf(7.5) + ` i=2 ` + bitsOf(.5) + ` i=3 ` + bitsOf(1000) + ` i=9 ` + bitsOf(1) + `]`,
			`[5: column "d": expected a number, found "0x10": not a number 6: column "d": expected a number, found "inf": not a number 7: column "d": expected a number, found "1_0": not a number 8: column "d": expected a number, found "x": not a number ` +
				`9: column "i": expected a whole number, found "8.5": expected a whole number, found a fraction 10: column "i": expected a whole number, found "x": not a number]`},
		{"b,i|2,1|0,2", `[b=false i=2]`, `[2: column "b": expected true or false, found "2"]`},
	} {
		src := everyType("csv")
		d := newDecoder(t, src, Limits{})
		rows, rejects := dump(src, d, append(messages(), csvMessages(c.in)...))
		missing := 0
		var data []string
		for _, r := range rejects {
			if strings.HasPrefix(r, "0: the header of rows.csv lacks") {
				missing++
				continue
			}
			n := 0
			fmt.Sscanf(r, "%d", &n) //nolint:errcheck // the format above
			data = append(data, fmt.Sprintf("%d%s", n+1, r[strings.Index(r, ":"):]))
		}
		if c.rejects == "" {
			c.rejects = "[]"
		}
		if fmt.Sprint(rows) != c.rows || fmt.Sprint(data) != c.rejects {
			t.Errorf("%s\n got %v\nwant %v\nrejects %v\n   want %v", c.in, rows, c.rows, data, c.rejects)
		}
		if all := strings.Contains(c.in, "other"); all == (missing == 1) {
			t.Errorf("%s: %d reports of missing columns", c.in, missing)
		}
	}
}

func TestCSVHeaderOfEachFile(t *testing.T) {
	src := everyType("csv")
	d := newDecoder(t, src, Limits{})
	msgs := append(csvMessages("i,s|1,a"), csvMessages("s,i|b,2")...)
	rows, _ := dump(src, d, msgs)
	if fmt.Sprint(rows) != `[i=1 s="a" i=2 s="b"]` {
		t.Fatalf("got %v", rows)
	}
	more, _ := dump(src, d, csvMessages("s,i|c,3")[1:]) // the header holds on in the next batch
	if fmt.Sprint(more) != `[i=3 s="c"]` {
		t.Fatalf("got %v", more)
	}
	_, rejects := dump(src, d, csvMessages("i,s,i|1,a,2"))
	if len(rejects) != 2 || !strings.Contains(rejects[0], `names "i" twice`) || !strings.Contains(rejects[1], "without a header") {
		t.Fatalf("got %v", rejects)
	}
}
