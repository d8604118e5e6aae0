package file

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/leatio/leat/agent/source"
)

const (
	csvField  = `(?:"(?:[^"]|"")*"(?:[^",\n][^,\n]*)?|[^",\n][^,\n]*|)`
	modelMost = 32 // bytes of a record
)

var (
	csvRecord = regexp.MustCompile(`^` + csvField + `(?:,` + csvField + `)*\n`)
	csvOpen   = regexp.MustCompile(`^(?:` + csvField + `,)*(")(?:[^"]|"")*$`)
)

// modelRecords cuts a text as the package's documentation says, from the whole
// of it, one record at a time.
func modelRecords(text string, isCSV bool) (out []string) {
	text = strings.TrimPrefix(text, "\xEF\xBB\xBF")
	mark := ""
	if isCSV {
		mark = "#"
	}
	for text != "" {
		n, tooLong := modelRecord(text, isCSV)
		record := string(trimEnd([]byte(text[:n])))
		if tooLong {
			if k := strings.IndexByte(text[n:], '\n'); k >= 0 {
				n += k + 1
			} else {
				n = len(text)
			}
			mark += "!"
		}
		text = text[n:]
		if record != "" {
			out = append(out, mark+record)
			mark = ""
		}
	}
	return out
}

func modelRecord(text string, isCSV bool) (n int, tooLong bool) {
	within := text[:min(len(text), modelMost+1)]
	if isCSV {
		if record := csvRecord.FindString(within); record != "" {
			return len(record), false
		}
		if at := csvOpen.FindStringSubmatchIndex(within); at != nil {
			if k := strings.IndexByte(within[at[2]:], '\n'); k >= 0 {
				return at[2] + k + 1, false
			}
		}
	} else if k := strings.IndexByte(within, '\n'); k >= 0 {
		return k + 1, false
	}
	if len(text) > modelMost {
		return modelMost, true
	}
	return len(text), false
}

// pieces gives at most size bytes per Read.
type pieces struct {
	in   io.Reader
	size int
}

func (p pieces) Read(b []byte) (int, error) { return p.in.Read(b[:min(len(b), p.size)]) }

// sourceRecords reads a text through a Source, with Header marked by "#" and Oversized by "!".
func sourceRecords(t testing.TB, text string, isCSV bool, size, block int) []string {
	in := pieces{strings.NewReader(text), size}
	s := newSource(t, Config{Paths: []string{Stdin}, Stdin: in, CSV: isCSV, BlockBytes: block, MaxRecordBytes: modelMost}, nil)
	got, end, err := drain(t, s, nil, 7, 1<<20)
	if err != nil || !end {
		t.Fatalf("end %v, error %v", end, err)
	}
	return got
}

// FuzzCut reads a text as a whole and in pieces: its records must be those of the model.
func FuzzCut(f *testing.F) {
	f.Add("a,b\n1,\"x\ny\"\r\n\"open\nz", true, uint8(3))
	f.Add("a\n\nb", false, uint8(1))
	f.Add("\"\n0\""+strings.Repeat(" ", 3000)+",\"\n\x0e\xff", true, uint8(4)) // was cut at a closed quote's line break
	f.Add("\""+strings.Repeat("a", 40)+"\nb\n\"\"\n"+strings.Repeat("c", 40)+"\nd", true, uint8(50))
	f.Add("\"a\"\r\"b\nc,\"\"\"\nd\",\n", true, uint8(0))
	f.Add("\xEF\xBB\xBF\""+strings.Repeat("a\n", 40)+"b,\"", true, uint8(9))
	f.Fuzz(func(t *testing.T, text string, isCSV bool, size uint8) {
		want := modelRecords(text, isCSV)
		for _, n := range []int{1 + int(size), len(text) + 1} {
			if got := sourceRecords(t, text, isCSV, n, n); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Fatalf("%q in pieces of %d:\n got %q\nwant %q", text, n, got, want)
			}
		}
	})
}

// FuzzPosition reads a stored position: what is taken is the same once written and read again.
func FuzzPosition(f *testing.F) {
	f.Add(place{"/var/rows.csv", 1 << 40}.append(nil))
	f.Add([]byte{})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'a'})
	f.Fuzz(func(t *testing.T, v []byte) {
		p, err := loadPlace(memStore{"p/" + positionKey: v}, "p/")
		if err != nil || v == nil {
			return
		}
		again, err := loadPlace(memStore{positionKey: p.append(nil)}, "")
		if err != nil || again != p || p.offset < 0 || p.path == "" {
			t.Fatalf("%+v became %+v: %v", p, again, err)
		}
		s := newSource(t, Config{Paths: []string{"/dev/null"}, CSV: true}, memStore{positionKey: v})
		if err := s.Run(t.Context()); err == nil && p.path != "/dev/null" {
			t.Fatalf("%+v is not among the files, and nothing is said", p)
		}
	})
}

// randomText is dense in what cutting looks at.
func randomText(rng *rand.Rand) string {
	var b strings.Builder
	for range rng.IntN(120) {
		b.WriteString([]string{"\"", "\"", ",", "\n", "\n", "\r", "a", "bc", "\r\n", "ddddddddddd", "\"\""}[rng.IntN(11)])
	}
	return b.String()
}

// TestRecordsAreThoseOfTheModel varies the text, the pieces of the input and the blocks.
func TestRecordsAreThoseOfTheModel(t *testing.T) {
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		text, isCSV, size, block := randomText(rng), seed%4 > 0, 1+rng.IntN(60), 1+rng.IntN(90)
		got, want := sourceRecords(t, text, isCSV, size, block), modelRecords(text, isCSV)
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("seed %d: %q in pieces of %d, blocks of %d:\n got %q\nwant %q", seed, text, size, block, got, want)
		}
	}
}

// TestResumedRecordsAreThoseOfTheModel starts again after every few records: those
// that follow must not depend on it.
func TestResumedRecordsAreThoseOfTheModel(t *testing.T) {
	dir := t.TempDir()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		text := randomText(rng)
		path := write(t, dir, "rows.csv", text)
		store := memStore{}
		var got []string
		for end, rounds := false, 0; !end; rounds++ {
			s := newSource(t, Config{Paths: []string{path}, CSV: true, BlockBytes: 1 + rng.IntN(90), MaxRecordBytes: modelMost}, store)
			out, e, err := drain(t, s, store, 1+rng.IntN(3), 2) // the header comes first again, then records
			if err != nil || rounds > 500 {
				t.Fatalf("seed %d, round %d: %v", seed, rounds, err)
			}
			end = e
			for i, o := range out {
				if i > 0 || rounds == 0 || !strings.HasPrefix(o, "#") {
					got = append(got, o)
				}
			}
		}
		if want := modelRecords(text, true); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("seed %d: %q\n got %q\nwant %q", seed, text, got, want)
		}
	}
}

// BenchmarkOpenQuotes cuts lines of which each leaves a quote open, whatever
// state it begins in: the work must stay linear in the text.
func BenchmarkOpenQuotes(b *testing.B) {
	text := strings.Repeat(",\"z\"q,\"\n", 1<<17)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s := newSource(b, Config{Paths: []string{Stdin}, Stdin: strings.NewReader(text), CSV: true, MaxRecordBytes: 1 << 16}, nil)
		done := make(chan error, 1)
		go func() { done <- s.Run(context.Background()) }()
		var c source.Chunk
		for !c.End {
			<-s.Ready()
			for c.Dry = false; !c.Dry; {
				s.Take(&c, 4096)
			}
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}
