package record

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func samples() map[string]*Record {
	return map[string]*Record{
		"epoch": {Kind: KindEpoch, Previous: 0xdeadbeef, Writer: 7},
		"members": {Kind: KindMembership, Previous: 1, Writer: 300, Members: []Member{
			{Agent: "gw-1", Pipeline: "p-1", Version: 3, State: Expected}, {Agent: "gw-2", State: Passed},
		}},
		"bundle": {Kind: KindBundle, Previous: 42, Writer: 2, Entries: []Entry{
			{Agent: "gw-1", Epoch: 1, Pipeline: "p-1", Version: 3, From: 10, To: 10, Before: 5, Sum: 6, Watermark: 1700000000000000, Payload: []byte("rows")},
			{Agent: "gw-2", Epoch: 9, Pipeline: "p-1", Version: 3, Lane: 2, From: 1, To: 200, Watermark: NoWatermark, Flags: FlagIdle},
		}},
	}
}

func TestGolden(t *testing.T) {
	for name, r := range samples() {
		got := Append(nil, r)
		file := filepath.Join("testdata", name+".bin")
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %x, golden %x", name, got, want)
		}
		back, err := Parse(want)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if back.Checksum != Checksum(want) {
			t.Errorf("%s: checksum %08x, want %08x", name, back.Checksum, Checksum(want))
		}
		back.Checksum = 0
		for i := range back.Entries {
			if len(back.Entries[i].Payload) == 0 {
				back.Entries[i].Payload = nil
			}
		}
		if !reflect.DeepEqual(back, r) {
			t.Errorf("%s: read back %+v, wrote %+v", name, back, r)
		}
	}
}

// Records that an earlier build wrote into a log.
func TestVersion1IsRead(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "membership-v1.bin"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Member{{Agent: "gw-1", State: Passed}}; r.Writer != 300 || !reflect.DeepEqual(r.Members, want) {
		t.Errorf("read %+v, want the members %+v of writer 300", r, want)
	}
}

// Every flipped bit and every cut is an error, never a different record.
func TestDamageIsFound(t *testing.T) {
	rec := Append(nil, samples()["bundle"])
	for i := range rec {
		for bit := range 8 {
			bad := bytes.Clone(rec)
			bad[i] ^= 1 << bit
			if _, err := Parse(bad); err == nil {
				t.Fatalf("bit %d of byte %d flipped: accepted", bit, i)
			}
		}
		if _, err := Parse(rec[:i]); err == nil {
			t.Fatalf("cut to %d bytes: accepted", i)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, r := range samples() {
		f.Add(Append(nil, r))
	}
	if b, err := os.ReadFile(filepath.Join("testdata", "membership-v1.bin")); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// With the checksum mended, so that the fields are reached.
		if len(b) >= headBytes {
			b = bytes.Clone(b)
			c := sum(b)
			b[8], b[9], b[10], b[11] = byte(c), byte(c>>8), byte(c>>16), byte(c>>24)
		}
		r, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(Append(nil, r))
		if err != nil {
			t.Fatalf("accepted bytes do not survive a round trip: %v", err)
		}
		again.Checksum, r.Checksum = 0, 0
		if !reflect.DeepEqual(again, r) {
			t.Fatalf("round trip changed %+v to %+v", r, again)
		}
	})
}
