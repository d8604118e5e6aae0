package decode

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

var update = flag.Bool("update", false, "write the golden files")

const seconds, millis, nanos = plan.TimeUnit_TIME_UNIT_SECONDS, plan.TimeUnit_TIME_UNIT_MILLIS, plan.TimeUnit_TIME_UNIT_NANOS

func source1(format string, cols ...*plan.SourceColumn) *plan.Source {
	return &plan.Source{Format: format, Columns: cols}
}

// city is the schema of RIoTBench's CITY stream.
func city() *plan.Source {
	s := source1("senml", col("t", batch.Timestamp, millis), col("source", batch.String, 0), col("longitude", batch.Double, 0), col("latitude", batch.Double, 0),
		col("temperature", batch.Double, 0), col("humidity", batch.Double, 0), col("light", batch.Double, 0), col("dust", batch.Double, 0), col("airquality_raw", batch.Int, 0))
	s.TolerantNumbers = true
	return s
}

func narrow() *plan.Source {
	return source1("senml", col("n", batch.String, 0), col("t", batch.Timestamp, 0), col("v", batch.Double, 0), col("vs", batch.String, 0), col("vb", batch.Bool, 0),
		col("vd", batch.Bytes, 0), col("s", batch.Double, 0), col("u", batch.String, 0), col("bn", batch.String, 0))
}

func influx() *plan.Source {
	return source1("influx", col("measurement", batch.String, 0), col("time", batch.Timestamp, nanos), col("s", batch.String, 0), col("d", batch.Double, 0), col("i", batch.Int, 0),
		col("b", batch.Bool, 0), col("a b", batch.String, 0))
}

// samples are messages of each format, good and bad ones; CBOR in hexadecimal, most of it from RFC 8949's appendix A.
var samples = []struct {
	name     string
	src      *plan.Source
	messages []string
}{
	{"senml-city", city(), []string{
		`{"e":[{"u":"string","n":"source","sv":"ci4lr75sl000802ypo4qrcjda23"},{"v":"6.1668213","u":"lon","n":"longitude"},{"v":"46.1927629","u":"lat","n":"latitude"},{"v":"8","u":"far","n":"temperature"},{"v":"53.7","u":"per","n":"humidity"},{"v":"0","u":"per","n":"light"},{"v":"411.02","u":"per","n":"dust"},{"v":"140","u":"per","n":"airquality_raw"}],"bt":1422748800000}`,
		`[{"bn":"city/","bt":1422748800000,"n":"source","vs":"a"},{"n":"temperature","v":8.5},{"n":"humidity","vs":"53.7"}]`,
		`[{"n":"temperature","v":1,"t":5},{"n":"temperature","v":2,"t":6},{"n":"humidity","v":3,"t":5},{"n":"other","v":4,"t":7}]`,
		`[{"n":"temperature","v":1,"t":5},{"bn":"x","n":"temperature","v":2,"t":5},{"bn":"","n":"dust","v":3,"t":5}]`,
		`[{"n":"temperature","v":1},{"n":"temperature","v":null}]`,
		`[]`, `[{"n":"other","v":1}]`, `[{"n":"temperature","v":"warm"}]`, `[{"n":"airquality_raw","v":1.5}]`, `[{"n":"temperature","vb":true}]`, `[{"n":"source","v":1}]`,
		`{"e":[{"n":"airquality_raw","sv":""}]}`, `[{"n":"dust","vs":" 7 "}]`,
	}},
	{"senml-narrow", narrow(), []string{
		// The examples of RFC 8428, section 5.1.
		`[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]`,
		`[{"bn":"urn:dev:ow:10e2073a01080063:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},{"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3}]`,
		`[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":21.2},{"t":10,"v":21.3}]`,
		`[{"bn":"urn:dev:mac:0024befffe804ff1/","n":"temp","u":"Cel","t":1276020076,"v":27.2,"s":1},{"n":"label","t":1276020076,"vs":"Machine \u0041"},{"n":"open","t":1276020076,"vb":false},{"n":"nfc-reader","t":1276020076,"vd":"aGkgCg"}]`,
		`[{"bn":"a","bv":10,"bs":100,"bt":1276020076,"v":1,"s":2},{"n":"b"},{"n":"c","vs":"x"}]`,
		`[{"bn":"only base fields"},{"n":"relative","t":-5,"v":1}]`,
		`[{"bver":11,"n":"a","v":1}]`, `[{"n":"a","v":1,"must_":1}]`, `[{"n":"a","v":"1"}]`, `[{"n":1,"v":1}]`, `[{"n":"a","vd":"!"}]`, `[{"n":"a","v":1,"t":"x"}]`,
		`{"n":"a","v":1}`, `7`, `[7]`, `[{"n":"a","v":1}`, `[{"n":"a","v":01}]`, ``, `[{"n":"a","v":1e999}]`, `[{"n":"a","v":1}] x`,
	}},
	{"influx", influx(), []string{
		"weather,s=us-midwest d=82,i=3i 1465839830100400200", "weather d=-1.5e3,i=-7i,b=t", "w\\,x\\ y,a\\ b=c\\=d\\,e d=1 1", `m s="say \"hi\" \\ \n",b=FALSE,i=18446744073709551615u 5`,
		`m s="` + strings.Repeat("x", 30) + `",i=9223372036854775807u 5`, "m,i=12,d=2.5 b=T -1", "# comment\nm d=1 1000\n\nm d=2 2000\r\n", "m s=\"a\nb\" 1",
		"m other=1i,b=true", "m d=1 1.5", "m d=1 x", "m", "m,s=a", "m d", "m d=", ",s=a d=1", "m d=1i2", "m d=\"x\"", "m b=2", "m i=1.5", "m i=2.0", `m s="open`, "m d=nan", "m d=0x10", "", "m d=1 1 2", "m d=1,d=2", "m,s=a s=\"b\"", "m d=1 9223372036854775807",
	}},
	{"cbor", everyType("cbor"), []string{
		"a0", "a2616901616dc0", "a1616920", "a161691b7fffffffffffffff", "a161691bffffffffffffffff", "a161641bffffffffffffffff", "a161643bffffffffffffffff", "a16169f94200", "a16169f93e00",
		"a16164f93c00", "a16164f90001", "a16164f90400", "a16164f9c400", "a16164fa47c35000", "a16164fb3ff199999999999a", "a16164f97e00", "a16164f97c00", "a16164f9fc00",
		"a26162f56173f6", "a26162f46173f7", "a1617364494554 46", "a1617362c3bc", "a161736 1ff", "a16173 7f657374726561646d696e67ff", "a16178 4401020304", "a16178 5f42010243030405ff",
		"a16174c074323031332d30332d32315432303a30343a30305a", "a1627473c11a514b67b0", "a162746dc1fb41d452d9ec200000", "a162746d1b0000018bcfe56801", "a1617474323031332d30332d32315432303a30343a30305a",
		"bf61690161739fff ff", "bf6169016173616 1ff", "82a1616901a1616902", "9fa1616901bf616902ffff", "d9d9f7a1616901", "a301026169036178 4101", "a261690161690 2", "a261699f0182028303ff61640 1",
		"a1616a a1616ba0", "", "01", "8101", "a1", "a161", "a16169", "a1616962", "ff", "1c", "a161697f", "a1617 37f4161ff", "a16169c249010000000000000000", "a16169f5", "a161738101", "a1616901 00", "f801", "a16173 7b7fffffffffffffff",
		"a1616a" + strings.Repeat("81", 70) + "00", "9bffffffffffffffff",
	}},
	{"raw-string", source1("raw", col("line", batch.String, 0)), []string{"a line", "", "ü\xff"}},
	{"raw-bytes", source1("raw", col("p", batch.Bytes, 0)), []string{"\x00\x01", ""}},
}

// TestGolden compares what the samples give with files.
func TestGolden(t *testing.T) {
	for _, s := range samples {
		var out strings.Builder
		d := newDecoder(t, s.src, Limits{})
		for _, m := range s.messages {
			payload := m
			if s.src.Format == "cbor" {
				raw, err := hex.DecodeString(strings.ReplaceAll(m, " ", ""))
				if err != nil {
					t.Fatal(m, err)
				}
				payload = string(raw)
			}
			rows, rejects := dump(s.src, d, []source.Message{{Topic: "t", Payload: []byte(payload), ReceivedMicros: 1_700_000_000_000_000}})
			fmt.Fprintf(&out, "%.200q\n", m)
			for _, r := range rows {
				fmt.Fprintf(&out, "  row %s\n", r)
			}
			for _, r := range rejects {
				fmt.Fprintf(&out, "  rejected %s\n", r)
			}
		}
		name := filepath.Join("testdata", s.name+".golden")
		if *update {
			if err := os.WriteFile(name, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil || out.String() != string(want) {
			t.Errorf("%s differs (%v); see git diff after -update. Got:\n%s", name, err, out.String())
		}
	}
}

func TestNewRefusesSchemasThatDoNotFit(t *testing.T) {
	for _, src := range []*plan.Source{
		source1("raw", col("a", batch.Int, 0)), source1("raw", col("a", batch.String, 0), col("b", batch.String, 0)),
		source1("influx", col("time", batch.Int, 0)), source1("influx", col("measurement", batch.Int, 0)),
		source1("senml", col("t", batch.Double, 0)), source1("senml", col("v", batch.String, 0)), source1("senml", col("v", batch.Double, 0), col("temperature", batch.Double, 0)),
	} {
		if _, err := New(src, Meta{}); err == nil {
			t.Errorf("accepted %v", src)
		}
	}
}

// fuzzFormat looks for panics, rows beyond the limit, and messages that give both rows and a reject.
func fuzzFormat(f *testing.F, format string, check func(t *testing.T, p []byte, accepted bool)) {
	var sources []*plan.Source
	for _, s := range samples {
		if s.src.Format != format {
			continue
		}
		sources = append(sources, s.src)
		for _, m := range s.messages {
			if raw, err := hex.DecodeString(strings.ReplaceAll(m, " ", "")); err == nil && format == "cbor" {
				m = string(raw)
			}
			f.Add([]byte(m))
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, src := range sources {
			d := newDecoder(t, src, Limits{Rows: 8, Depth: 6, MessageBytes: 1 << 12})
			rows, rejects := dump(src, d, []source.Message{{Payload: p, ReceivedMicros: 1}, {Payload: p}})
			if len(rows) > 16 || len(rejects) > 0 && len(rejects)+len(rows) > 2 || len(rejects) == 1 {
				t.Fatalf("%q: rows %q, rejects %q", p, rows, rejects)
			}
			check(t, p, len(rejects) == 0)
		}
	})
}

func FuzzSenML(f *testing.F) {
	fuzzFormat(f, "senml", func(t *testing.T, p []byte, accepted bool) {
		if accepted && !json.Valid(p) {
			t.Fatalf("%q was accepted and is no JSON", p)
		}
	})
}

func FuzzInflux(f *testing.F) { fuzzFormat(f, "influx", func(*testing.T, []byte, bool) {}) }

// FuzzCBOR holds the check of form to a reader that knows nothing else.
func FuzzCBOR(f *testing.F) {
	fuzzFormat(f, "cbor", func(t *testing.T, p []byte, accepted bool) {
		if accepted && wellFormed(p, 0) != len(p) {
			t.Fatalf("%x was accepted and is not one CBOR item", p)
		}
	})
}

// wellFormed is the pseudocode of RFC 8949, appendix C: the index behind the item at p[i], -1 = none, -2 = a break.
func wellFormed(p []byte, i int) int {
	if i < 0 || i >= len(p) {
		return -1
	}
	major, info := p[i]>>5, p[i]&31
	i++
	arg := uint64(info)
	if info >= 24 && info < 28 {
		arg = 0
		for range 1 << (info - 24) {
			if i >= len(p) {
				return -1
			}
			arg = arg<<8 | uint64(p[i])
			i++
		}
	} else if info >= 28 && info < 31 || info == 31 && (major < 2 || major == 6) {
		return -1
	}
	if info == 31 {
		if major == 7 {
			return -2
		}
		for n := 0; ; n++ {
			next := wellFormed(p, i)
			if next == -2 {
				if major == 5 && n%2 == 1 {
					return -1
				}
				return i + 1
			}
			if next == -1 || major < 4 && (p[i]>>5 != major || p[i]&31 == 31) {
				return -1
			}
			i = next
		}
	}
	switch major {
	case 2, 3:
		if arg > uint64(len(p)-i) {
			return -1
		}
		i += int(arg)
	case 4, 5, 6:
		if arg *= uint64(major - 3); major == 6 {
			arg = 1
		}
		for n := uint64(0); n < arg; n++ {
			if i = wellFormed(p, i); i < 0 {
				return -1
			}
		}
	case 7:
		if info == 24 && arg < 32 {
			return -1
		}
	}
	return i
}

// TestFormatsAgree writes the same random rows in several formats: each gives the same columns.
func TestFormatsAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	columns := func(format, at string) *plan.Source {
		unit := millis
		if format == "influx" {
			unit = nanos
		}
		return source1(format, col("s", batch.String, 0), col("i", batch.Int, 0), col("d", batch.Double, 0), col("b", batch.Bool, 0), col(at, batch.Timestamp, unit))
	}
	for range 500 {
		s, i, d, b, at := fmt.Sprintf("a,%d = \\\"ü", rng.IntN(99)), rng.IntN(2000)-1000, float64(rng.IntN(1e6))/math.Pow10(rng.IntN(5)), rng.IntN(2) == 0, 1_400_000_000_000+rng.Int64N(1e9)
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		cbor := []byte{0xa5, 0x61, 's', 0x60 | byte(len(s))}
		cbor = append(append(cbor, s...), 0x61, 'i')
		if i < 0 {
			cbor = append(cbor, 0x39, byte((-1-i)>>8), byte(-1-i))
		} else {
			cbor = append(cbor, 0x19, byte(i>>8), byte(i))
		}
		cbor = append(cbor, 0x61, 'd', 0xfb)
		for k := 56; k >= 0; k -= 8 {
			cbor = append(cbor, byte(math.Float64bits(d)>>k))
		}
		cbor = append(cbor, 0x61, 'b', 0xf4, 0x61, 't', 0x1b)
		if b {
			cbor[len(cbor)-4] = 0xf5
		}
		for k := 56; k >= 0; k -= 8 {
			cbor = append(cbor, byte(at>>k))
		}
		want := fmt.Sprintf("s=%q i=%d %s b=%v t=%d", s, i, bitsOf(d), b, at*1000)
		for format, text := range map[string]string{
			"json":   fmt.Sprintf(`{"s":%s,"i":%d,"d":%v,"b":%v,"t":%d}`, quoted, i, d, b, at),
			"cbor":   string(cbor),
			"influx": fmt.Sprintf(`m s="%s",i=%di,d=%v,b=%v %d000000`, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s), i, d, b, at),
			"senml":  fmt.Sprintf(`[{"bt":%d,"n":"s","vs":%s},{"n":"i","v":%d},{"n":"d","v":%v},{"n":"b","vb":%v}]`, at, quoted, i, d, b),
		} {
			name := map[string]string{"influx": "time"}[format]
			if name == "" {
				name = "t"
			}
			src := columns(format, name)
			rows, rejects := dump(src, newDecoder(t, src, Limits{}), []source.Message{{Payload: []byte(text)}})
			if len(rejects) > 0 || len(rows) != 1 || strings.Replace(rows[0], "time=", "t=", 1) != want {
				t.Fatalf("%s: %q gives %q %q, want %q", format, text, rows, rejects, want)
			}
		}
	}
}
