package columnar

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// allTypes is the schema of the fuzzed decoder: ports 0 to 3 have other columns.
func fuzzSchemas(port uint32) batch.Schema {
	switch port {
	case 0:
		return climateSchema
	case 1:
		return partialSchema
	case 2:
		return batch.Schema{}
	case 3:
		return mixedSchema
	}
	return nil
}

func FuzzDecodePayload(f *testing.F) {
	files, err := filepath.Glob("testdata/*.payload")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for seed := range uint64(40) {
		g := newGen(seed)
		port := uint32(g.IntN(4))
		s := fuzzSchemas(port)
		f.Add(append([]byte{payloadFormat, compressNone, 1, byte(port)}, Append(nil, s, g.batch(s, 60))...))
	}
	lim := Limits{MaxRows: 20_000, MaxBytes: 4 << 20}
	f.Fuzz(func(t *testing.T, src []byte) {
		sections, err := DecodePayload(src, fuzzSchemas, lim)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrLimit) && !errors.Is(err, ErrSchema) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		for _, s := range sections {
			for i := range s.Batch.Cols {
				if n := s.Batch.Cols[i].Len(); n != s.Batch.N && n != 0 {
					t.Fatalf("column of %d values in a batch of %d rows", n, s.Batch.N)
				}
			}
			rowsOf(s.Batch) // touches every value
		}
		// What was read can be written and read again.
		again, err := DecodePayload(AppendPayload(nil, sections, fuzzSchemas), fuzzSchemas, Limits{})
		if err != nil {
			t.Fatalf("written anew: %v", err)
		}
		for i := range sections {
			mustEqual(t, rowsOf(sections[i].Batch), rowsOf(again[i].Batch))
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	for seed := range uint64(10) {
		f.Add(seed, uint16(100))
	}
	f.Fuzz(func(t *testing.T, seed uint64, most uint16) { roundTrip(t, seed, int(most%3000)) })
}

func FuzzInts(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Fuzz(func(t *testing.T, data []byte) {
		var vals []int64
		for ; len(data) >= 8; data = data[8:] {
			v := int64(0)
			for _, c := range data[1:8] {
				v = v<<8 | int64(c)
			}
			vals = append(vals, v<<8>>(data[0]&63))
		}
		e := new(encoder)
		r := newReader(e.appendInts(nil, vals), Limits{})
		got := make([]int64, len(vals))
		if r.ints(got); r.err != nil || len(r.src) != 0 {
			t.Fatal(r.err, len(r.src))
		}
		for i := range vals {
			if vals[i] != got[i] {
				t.Fatalf("value %d is %d, not %d", i, got[i], vals[i])
			}
		}
	})
}
