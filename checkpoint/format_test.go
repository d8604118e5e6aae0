package checkpoint

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/leatio/leat/checkpoint/vfs/crashfs"
	"go.etcd.io/bbolt"
)

var update = flag.Bool("update", false, "write the golden files anew")

var goldenID = storeID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// goldenSegment is segment 7 with two frames, one of them empty, and a state
// record between them.
func goldenSegment(t testing.TB) []byte {
	t.Helper()
	fsys := &crashfs.FS{}
	a := appender{fs: fsys, dir: "outbox", id: goldenID, limit: 1 << 20, number: 6}
	a.mark()
	for _, r := range []struct {
		h    recordHeader
		data string
	}{
		{recordHeader{stream: 1, kind: Frame, seq: 1, commit: 3}, "first frame"},
		{recordHeader{stream: 2, kind: State, seq: 5, commit: 3}, "state"},
		{recordHeader{stream: 1, kind: Frame, seq: 2, commit: 4}, ""},
	} {
		r.h.length, r.h.dataSum = uint32(len(r.data)), Checksum([]byte(r.data))
		if _, err := a.add(r.h, []byte(r.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.sync(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, a.off)
	if _, err := a.file.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: stores of earlier versions can no longer be read\ngot:\n%s\nwant:\n%s", name, hex.Dump(got), hex.Dump(want))
	}
}

func TestGoldenFormats(t *testing.T) {
	segment := goldenSegment(t)
	golden(t, "segment-v1.seg", segment)
	m := meta{id: goldenID, commit: 4, tail: 7, tailOffset: int64(len(segment)), lastStream: 2, digest: 0x0123456789abcdef}
	golden(t, "meta-v1.bin", appendMeta(nil, m))
	r := row{id: 1, sum: 0xcafef00d, first: 2, next: 3, stateFirst: 4, stateNext: 6}
	golden(t, "stream-v1.bin", appendRow(nil, r))

	if got, err := parseMeta(appendMeta(nil, m)); err != nil || got != m {
		t.Errorf("meta: %+v, %v", got, err)
	}
	if got, err := parseRow(appendRow(nil, r)); err != nil || got != r {
		t.Errorf("row: %+v, %v", got, err)
	}
	id, number, err := parseSegmentHeader(segment)
	if err != nil || id != goldenID || number != 7 {
		t.Errorf("segment: %x, %d, %v", id, number, err)
	}
	sc := newScanner(bytes.NewReader(segment), segmentSeed(id, number), segmentHeaderBytes, int64(len(segment)), func(from, to int64) {
		t.Errorf("bytes %d to %d are no records", from, to)
	})
	var got []string
	for {
		h, at, ok, err := sc.next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		got = append(got, fmt.Sprint(at, h.kind, h.stream, h.seq, h.commit, h.length))
	}
	if want := fmt.Sprint([]string{"48 frame 1 1 3 11", "104 state record 2 5 3 5", "152 frame 1 2 4 0"}); fmt.Sprint(got) != want {
		t.Errorf("records %q, expected %q", got, want)
	}
}

// Versions this program does not know are refused by name, not as damage.
func TestUnknownVersions(t *testing.T) {
	b := appendMeta(nil, meta{})
	b[0] = 2
	if _, err := parseMeta(b); err == nil || err.Error() != "store format version 2, this program reads version 1" {
		t.Errorf("meta: %v", err)
	}
}

// FuzzSegment feeds the scanner any bytes after a valid start. What it returns
// must lie within the file and in order; it must not panic, nor loop.
func FuzzSegment(f *testing.F) {
	b := goldenSegment(f)
	f.Add(b, uint32(7))
	f.Add(b[:100], uint32(7))
	f.Add(b[40:], uint32(1))
	f.Add([]byte{}, uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, number uint32) {
		_, _, err := parseSegmentHeader(b)
		if err == nil && len(b) < segmentHeaderBytes {
			t.Fatal("a short header was accepted")
		}
		covered := int64(segmentHeaderBytes)
		size := max(int64(len(b)), covered)
		r := bytes.NewReader(append(b, make([]byte, size-int64(len(b)))...))
		sc := newScanner(r, segmentSeed(goldenID, number), covered, size, func(from, to int64) {
			if from != covered || to <= from || to > size {
				t.Fatalf("skipped %d to %d, covered %d of %d", from, to, covered, size)
			}
			covered = to
		})
		for {
			h, at, ok, err := sc.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if at != covered || at+recordBytes(int(h.length)) > size {
				t.Fatalf("record at %d with %d bytes, covered %d of %d", at, h.length, covered, size)
			}
			covered = at + recordBytes(int(h.length))
		}
		if covered != size {
			t.Fatalf("covered %d of %d", covered, size)
		}
	})
}

// FuzzDatabase feeds store.db any change of a real one. What is accepted must be
// a file that bbolt opens and reads without a panic.
func FuzzDatabase(f *testing.F) {
	dir := f.TempDir()
	name := filepath.Join(dir, "db")
	if err := createKV(dir); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, dbName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte{})
	f.Add(uint32(4096*2+8), []byte{2})
	f.Add(uint32(4096*3+10), []byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, off uint32, patch []byte) {
		b := append([]byte{}, good...)
		copy(b[int(off)%len(b):], patch)
		if _, _, err := verifyBolt(bytes.NewReader(b), int64(len(b))); err != nil {
			return
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := bbolt.Open(name, 0o600, dbOptions())
		if err != nil {
			t.Fatal(err)
		}
		if err := (kv{db}).rows(func(string, row) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// failingReader is a disk that reports errors.
type failingReader struct{}

func (failingReader) ReadAt([]byte, int64) (int, error) { return 0, io.ErrNoProgress }

// A segment that cannot be read is an error, not one without records: trim
// would delete it.
func TestScanReportsReadErrors(t *testing.T) {
	sc := newScanner(failingReader{}, 0, segmentHeaderBytes, 1<<20, func(int64, int64) {})
	_, _, ok, err := sc.next()
	if ok {
		t.Fatal("a record was found")
	}
	wantErr(t, err, io.ErrNoProgress)
}
