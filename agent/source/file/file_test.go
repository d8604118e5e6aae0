package file

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/leatio/leat/agent/source"
)

// memStore is what a checkpoint holds.
type memStore map[string][]byte

func (m memStore) Get(key string) ([]byte, error) { return m[key], nil }

func (m memStore) Range(string, func(string, []byte) error) error { return nil }

func (m memStore) commit(puts []source.Entry) {
	for _, e := range puts {
		m[e.Key] = e.Value
	}
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// drain takes everything, at most most messages at a time, and commits each chunk.
func drain(t testing.TB, s *Source, store memStore, most, chunks int) (out []string, end bool, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	go func() { failed <- s.Run(ctx) }()
	var c source.Chunk
	for i := 0; i < chunks && !c.End && err == nil; {
		select {
		case <-s.Ready():
		case err = <-failed:
			failed <- err
		case <-time.After(10 * time.Second):
			t.Fatal("nothing is ready")
		}
		for c.Dry = false; !c.Dry && i < chunks; {
			s.Take(&c, most)
			if len(c.Messages) > 0 {
				i++
			}
			if len(c.Messages) > most {
				t.Fatalf("took %d of %d", len(c.Messages), most)
			}
			for _, m := range c.Messages {
				mark := ""
				if m.Header {
					mark = "#"
				}
				if m.Oversized {
					mark += "!"
				}
				if !m.Lines {
					out = append(out, mark+string(m.Payload))
					continue
				}
				for line := range source.Lines(m.Payload) {
					out = append(out, mark+string(line))
				}
			}
			if store != nil {
				store.commit(c.Puts)
			}
		}
	}
	cancel()
	return out, c.End, <-failed
}

func newSource(t testing.TB, cfg Config, store source.Store) *Source {
	t.Helper()
	s, err := New(cfg, store)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCutting(t *testing.T) {
	for _, c := range []struct {
		name, in string
		csv      bool
		want     []string
	}{
		{"lines", "a\nbb\r\n\n\r\nccc\nlast", false, []string{"a", "bb", "ccc", "last"}},
		{"mark", "\xEF\xBB\xBF{}\n", false, []string{"{}"}},
		{"long", "ok\n" + strings.Repeat("x", 200) + "\nnext\n", false, []string{"ok", "!" + strings.Repeat("x", 64), "next"}},
		{"long at the end", strings.Repeat("x", 200), false, []string{"!" + strings.Repeat("x", 64)}},
		{"long, then long", strings.Repeat("x", 200) + "\n" + strings.Repeat("y", 200) + "\nz", false, []string{"!" + strings.Repeat("x", 64), "!" + strings.Repeat("y", 64), "z"}},
		{"quotes are nothing in lines", "\"a\nb\"\n", false, []string{"\"a", "b\""}},
		{"csv", "\n\na,b\n1,2\n3,4", true, []string{"#a,b", "1,2", "3,4"}},
		{"csv line breaks", "a,b\r\n1,\"x\ny\"\r\n\"p\"\"\n\"\"q\",\"r\"\n3,4\n", true, []string{"#a,b", "1,\"x\ny\"", "\"p\"\"\n\"\"q\",\"r\"", "3,4"}},
		{"csv quote within a field", "a,b\n1,x\"y\n2,z\"\n", true, []string{"#a,b", "1,x\"y", "2,z\""}},
		{"csv open quote", "a,b\n1,\"open\n2,x\n3,y", true, []string{"#a,b", "1,\"open", "2,x", "3,y"}},
		{"csv open quote, long", "a,b\n1,\"open\n" + strings.Repeat("2,x\n", 30), true, append([]string{"#a,b", "1,\"open"}, strings.Split(strings.Repeat("2,x|", 29)+"2,x", "|")...)},
		{"csv long, then a line", "a\n\"" + strings.Repeat("x", 200) + "\n1,2\n", true, []string{"#a", "!\"" + strings.Repeat("x", 63), "1,2"}},
		{"csv closed line break, then open", "a\n\"1\n2\",\"3\n4\n" + strings.Repeat("5\n", 30), true, append([]string{"#a", "\"1\n2\",\"3", "4"}, strings.Split(strings.Repeat("5|", 29)+"5", "|")...)},
		{"csv closed line break, then long", "a\n\"1\n2\"" + strings.Repeat(" ", 200) + ",\"3\n4\"\n5\n", true, []string{"#a", "!\"1\n2\"" + strings.Repeat(" ", 59), "4\"", "5"}},
		{"limit", strings.Repeat("x", 64) + "\n" + strings.Repeat("y", 65) + "\n" + strings.Repeat("z", 64), false, []string{strings.Repeat("x", 64), "!" + strings.Repeat("y", 64), strings.Repeat("z", 64)}},
		{"csv text after a quote", "a\n\"x\"y,\"\nz\n", true, []string{"#a", "\"x\"y,\"", "z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for block := 1; block < 80; block = block*3/2 + 1 {
				for name, in := range map[string]io.Reader{"bytes": iotest.OneByteReader(strings.NewReader(c.in)), "halves": iotest.HalfReader(strings.NewReader(c.in)), "whole": strings.NewReader(c.in)} {
					s := newSource(t, Config{Paths: []string{Stdin}, Stdin: in, CSV: c.csv, BlockBytes: block, MaxRecordBytes: 64}, nil)
					got, end, err := drain(t, s, nil, 1+block%5, 1<<20)
					if err != nil || !end || strings.Join(got, "|") != strings.Join(c.want, "|") {
						t.Fatalf("block %d, %s\n got %q (end %v, %v)\nwant %q", block, name, got, end, err, c.want)
					}
				}
			}
		})
	}
}

// TestCSVRecordsAgreeWithTheLibrary cuts well-formed random CSV and compares
// the records with those that encoding/csv finds in the whole.
func TestCSVRecordsAgreeWithTheLibrary(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		w.UseCRLF = seed%2 == 0
		for range rng.IntN(30) {
			fields := []string{"k"}
			for range 2 {
				f := ""
				for range rng.IntN(6) {
					f += string("ab,\"\n"[rng.IntN(5)])
				}
				fields = append(fields, f)
			}
			if err := w.Write(fields); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		want, err := csv.NewReader(bytes.NewReader(text.Bytes())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		s := newSource(t, Config{Paths: []string{Stdin}, Stdin: iotest.HalfReader(&text), CSV: true, BlockBytes: 1 + rng.IntN(100)}, nil)
		records, _, err := drain(t, s, nil, 7, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		var got [][]string
		for _, r := range records {
			fields, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(r, "#"))).Read()
			if err != nil {
				t.Fatalf("seed %d: record %q: %v", seed, r, err)
			}
			got = append(got, fields)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d\n got %q\nwant %q", seed, got, want)
		}
	}
}

// TestRestartAtEveryChunk stops after each number of chunks and goes on with
// a new source on the same store: nothing is lost and nothing comes twice.
func TestRestartAtEveryChunk(t *testing.T) {
	for _, isCSV := range []bool{false, true} {
		dir := t.TempDir()
		var want []string
		for f := range 3 {
			text := "\n"
			if isCSV {
				text = "\xEF\xBB\xBF\nhead,er\n"
			}
			for i := range 20 {
				row := fmt.Sprintf("row-%d-%d", f, i)
				if isCSV && i%3 == 0 {
					row = "\"" + row + "\n\",1"
				}
				if i == 10 {
					row = strings.Repeat("z", 100)
				}
				text += row + "\r\n\n"
				want = append(want, row)
			}
			write(t, dir, fmt.Sprintf("f%d.txt", 2-f), text)
		}
		want = append(want[40:], append(want[20:40:40], want[:20]...)...) // name order
		for chunks := 1; chunks < 12; chunks++ {
			for most := 1; most < 9; most += 3 {
				if isCSV && chunks*most == 1 {
					continue // each start gives the header first
				}
				store := memStore{}
				var got []string
				for end, rounds := false, 0; !end; rounds++ {
					s := newSource(t, Config{Paths: []string{filepath.Join(dir, "*.txt")}, CSV: isCSV, BlockBytes: 50, MaxRecordBytes: 64, Prefix: "p/"}, store)
					out, e, err := drain(t, s, store, most, chunks)
					if err != nil || rounds > 500 {
						t.Fatalf("round %d: %v", rounds, err)
					}
					end = e
					for _, o := range out {
						if o == "#head,er" {
							continue
						}
						if o == "!"+strings.Repeat("z", 64) {
							o = strings.Repeat("z", 100)
						}
						got = append(got, o)
					}
				}
				if strings.Join(got, "|") != strings.Join(want, "|") {
					t.Fatalf("csv %v, %d chunks of %d\n got %q\nwant %q", isCSV, chunks, most, got, want)
				}
			}
		}
	}
}

func TestResumeGivesTheHeaderAgain(t *testing.T) {
	path := write(t, t.TempDir(), "a.csv", "h1,h2\n1,2\n3,4\n5,6\n")
	store := memStore{}
	first, _, _ := drain(t, newSource(t, Config{Paths: []string{path}, CSV: true}, store), store, 2, 1)
	if fmt.Sprint(first) != "[#h1,h2 1,2]" {
		t.Fatalf("got %q", first)
	}
	// Only the header is taken and committed: the position must not go back.
	again, _, _ := drain(t, newSource(t, Config{Paths: []string{path}, CSV: true}, store), store, 1, 1)
	rest, _, err := drain(t, newSource(t, Config{Paths: []string{path}, CSV: true}, store), store, 9, 1<<20)
	if fmt.Sprint(again) != "[#h1,h2]" || fmt.Sprint(rest) != "[#h1,h2 3,4 5,6]" || err != nil {
		t.Fatalf("got %q, then %q (%v)", again, rest, err)
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	short := write(t, dir, "short.txt", "a\n")
	at := func(p place) memStore { return memStore{positionKey: p.append(nil)} }
	for _, c := range []struct {
		paths []string
		store memStore
		is    error
		says  string
	}{
		{[]string{filepath.Join(dir, "none.txt")}, nil, ErrNoFiles, "none.txt"},
		{[]string{filepath.Join(dir, "*.csv")}, nil, ErrNoFiles, "correct source.file.path"},
		{[]string{dir}, nil, nil, "is a directory: name its files"},
		{[]string{short}, at(place{short, 99}), ErrPosition, "byte 99"},
		{[]string{short}, at(place{"gone.txt", 1}), ErrPosition, "gone.txt"},
		{[]string{short}, memStore{positionKey: {9}}, nil, "version 9"},
		{[]string{short}, memStore{positionKey: {}}, nil, "damaged"},
		{[]string{short}, memStore{positionKey: {1, 0xff}}, nil, "damaged"},
		{[]string{short}, memStore{positionKey: {1, 1}}, nil, "damaged"},
	} {
		s := newSource(t, Config{Paths: c.paths}, c.store)
		_, end, err := drain(t, s, nil, 10, 1<<20)
		if err == nil || end || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%v: end %v, error %v, want %q", c.paths, end, err, c.says)
		}
		if st := s.Status(); st.LastError != err.Error() || st.Connected {
			t.Errorf("%v: status %+v", c.paths, st)
		}
	}
	for _, paths := range [][]string{nil, {"[a"}} {
		if _, err := New(Config{Paths: paths}, nil); err == nil {
			t.Errorf("%v is accepted", paths)
		}
	}
	s := newSource(t, Config{Paths: []string{Stdin}, Stdin: io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(io.ErrClosedPipe))}, nil)
	got, end, err := drain(t, s, nil, 10, 1<<20)
	if !errors.Is(err, io.ErrClosedPipe) || end || fmt.Sprint(got) != "[a]" {
		t.Errorf("a failing reader: %q, end %v, %v", got, end, err)
	}
}

// TestStopWhileBlocked ends Run while nobody takes.
func TestStopWhileBlocked(t *testing.T) {
	s := newSource(t, Config{Paths: []string{Stdin}, Stdin: endless{}, BlockBytes: 100}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	for len(s.free) > 0 { // until every block is full
		select {
		case <-s.Ready():
		case <-time.After(10 * time.Second):
			t.Fatal("the source does not read ahead")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var c source.Chunk
	n := 0
	for c.Dry = false; !c.Dry; n += len(c.Messages) {
		s.Take(&c, 1<<20)
	}
	if n != Blocks-1 || c.End { // a run of lines each; the last one was being filled
		t.Fatalf("%d messages, end %v after a stop", n, c.End)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "row\n"[i%4]
	}
	return len(p) &^ 3, nil
}

// BenchmarkClimateLines reads rows of 68 bytes from a file in the page cache.
func BenchmarkClimateLines(b *testing.B) {
	const rows = 1 << 20
	line := `{"device":"dev-0361","ts":1700000000001,"temp":22.0,"humidity":49.6}` + "\n"
	path := write(b, b.TempDir(), "rows.jsonl", strings.Repeat(line, rows))
	for _, isCSV := range []bool{false, true} {
		if isCSV {
			path = write(b, b.TempDir(), "rows.csv", strings.Repeat(strings.ReplaceAll(line, `"`, `'`), rows))
		}
		b.Run(fmt.Sprintf("csv=%v", isCSV), func(b *testing.B) {
			b.SetBytes(rows * int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				s := newSource(b, Config{Paths: []string{path}, CSV: isCSV}, nil)
				done := make(chan error, 1)
				go func() { done <- s.Run(context.Background()) }()
				var c source.Chunk
				n := 0
				for !c.End {
					<-s.Ready()
					for c.Dry = false; !c.Dry; {
						s.Take(&c, 4096)
						for _, m := range c.Messages {
							n += bytes.Count(m.Payload, []byte("\n"))
							if !m.Lines {
								n++
							}
						}
					}
				}
				if err := <-done; err != nil || n != rows {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}

// BenchmarkCut is the cutting alone.
func BenchmarkCut(b *testing.B) {
	data := []byte(strings.Repeat(`{"device":"dev-0361","ts":1700000000001,"temp":22.0,"humidity":49.6}`+"\n", 3700))
	var ends []uint32
	for b.Loop() {
		c := cutter{most: 1 << 20}
		ends, _ = c.cut(data, ends[:0], false)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/3700, "ns/row")
}
