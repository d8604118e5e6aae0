package window

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// fuzzBytes makes values of bytes; after their end all is 0.
type fuzzBytes []byte

func (d *fuzzBytes) small() (v byte) {
	if len(*d) > 0 {
		v, *d = (*d)[0], (*d)[1:]
	}
	return v
}

func (d *fuzzBytes) value(f batch.Field, before int64) any {
	how := d.small()
	if how == 255 {
		return nil
	}
	switch {
	case f.Name == plan.SliceEnd && how < 240:
		return before + 10
	case f.Name == plan.WindowEnd && how < 240:
		return before + 30
	case f.Type == batch.Timestamp:
		return (int64(how%16) - 4) * 10
	case f.Name == versionColumn && how < 240:
		return int64(SnapshotVersion)
	case f.Type == batch.Bool:
		return how%2 == 0
	case f.Type == batch.Double:
		var w [8]byte
		n := copy(w[:], *d)
		*d = (*d)[n:]
		return math.Float64frombits(binary.LittleEndian.Uint64(w[:]))
	case f.Type == batch.String:
		return string(rune('a' + how%3))
	case f.Type == batch.Bytes:
		n := min(len(*d), int(how%4))
		if how < 240 { // else mostly a state that is refused
			n = 0
		}
		b := append([]byte{}, (*d)[:n]...)
		*d = (*d)[n:]
		return b
	case how > 250:
		return int64(math.MinInt64) + int64(how)
	}
	return int64(how % 7)
}

// batch makes a batch of a schema.
func (d *fuzzBytes) batch(s batch.Schema) *batch.Batch {
	b := batch.New(s)
	for range d.small() % 9 {
		before := int64(0)
		for i, f := range s {
			v := d.value(f, before)
			if t, ok := v.(int64); ok && f.Type == batch.Timestamp {
				before = t
			}
			appendValue(&b.Cols[i], v)
		}
		b.N++
	}
	switch bad := d.small(); {
	case bad == 255:
		b.Cols = b.Cols[1:]
	case bad == 254:
		b.N++
	case bad > 200 && b.N > 1:
		b.Sel = []uint32{uint32(b.N - 1)}
	case bad > 150 && b.N > 0:
		b.Deleted = batch.NewBitmap(b.N, false)
		b.Deleted.Set(0)
	}
	return b
}

func fuzzSpecs(how byte) []*plan.WindowSpec {
	return [][]*plan.WindowSpec{{tumbling(10)}, {hopping(30, 10)}, {hopping(30, 10), tumbling(20), cumulative(30, 10)}, {session(10)}}[how%4]
}

func addFuzzSeeds(f *testing.F) {
	for how := range byte(4) {
		f.Add([]byte{how, 3, 1, 4, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 5, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 2, 9, 1, 1, 1, 1})
		f.Add([]byte{how, 2, 0, 5, 0, 7, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 9, 0, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2})
	}
}

// FuzzFinals gives Finals of all windows batches as a decoder may give them, and checkpoints that anyone may
// have written: they take them or refuse them, fire, and what they take a snapshot of comes back the same.
func FuzzFinals(f *testing.F) {
	addFuzzSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		d := fuzzBytes(data)
		w := testWindow(t, stringKey, 10, 5)
		setSpecs(w, "", fuzzSpecs(d.small())...)
		w.EarlyMicros = int64(d.small()%2) * 7
		fin := newTestFinal(t, w, FinalConfig{MaxStates: 20, OnTooLate: func(b *batch.Batch) {
			if b.Len() == 0 {
				t.Error("no partial was too late")
			}
		}})
		emit := func(*batch.Batch) error { return nil }
		for i := range int64(4) {
			held := fin.States()
			if err := fin.Merge(d.batch(fin.shape.partial)); err != nil && fin.States() != held {
				t.Fatalf("a refused batch left %d states", fin.States()-held)
			}
			held = fin.States()
			if err := fin.AddRows(d.batch(fin.shape.rows)); err != nil && fin.States() != held {
				t.Fatalf("refused rows left %d states", fin.States()-held)
			}
			if err := fin.Advance(30*i, 20*i, emit); err != nil {
				t.Fatal(err)
			}
		}
		again := newTestFinal(t, w, FinalConfig{MaxStates: 20})
		snap := snapshotOf(t, fin, true)
		restoreTo(t, again, snap)
		again.Resume(90, 60)
		if got, want := showParts(snapshotOf(t, again, true)), showParts(snap); got != want {
			t.Fatalf("a restored Final gives the snapshot\n%s\nwant\n%s", got, want)
		}
		foreign := newTestFinal(t, w, FinalConfig{MaxStates: 20})
		for range 2 {
			for section, schema := range fin.SnapshotSchemas() {
				if err := foreign.Restore(section, d.batch(schema)); err != nil {
					t.Log(err)
				}
			}
		}
		if foreign.States() > 20 {
			t.Fatalf("%d states, the limit is 20", foreign.States())
		}
		foreign.Resume(20, 10)
		if err := foreign.Advance(100, 100, emit); err != nil {
			t.Fatal(err)
		}
		snapshotOf(t, foreign, true)
	})
}

// FuzzChains does the same with Chains.
func FuzzChains(f *testing.F) {
	addFuzzSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		d := fuzzBytes(data)
		w := chainWindow(t, stringKey, 5, fuzzSpecs(d.small()%3)...)
		c := newTestChain(t, w, stringKey, FinalConfig{MaxStates: 30})
		emit := func(*batch.Batch) error { return nil }
		for i := range int64(4) {
			if err := c.Process(d.batch(chainSchema(stringKey))); err != nil {
				t.Log(err)
			}
			if err := c.Advance(30*i, 20*i, emit); err != nil {
				t.Fatal(err)
			}
		}
		again := newTestChain(t, w, stringKey, FinalConfig{MaxStates: 30})
		snap := snapshotOf(t, c, true)
		restoreTo(t, again, snap)
		again.Resume(90, 60)
		if got, want := showParts(snapshotOf(t, again, true)), showParts(snap); got != want {
			t.Fatalf("a restored Chain gives the snapshot\n%s\nwant\n%s", got, want)
		}
		foreign := newTestChain(t, w, stringKey, FinalConfig{MaxStates: 30})
		for range 2 {
			for section, schema := range c.SnapshotSchemas() {
				if err := foreign.Restore(section, d.batch(schema)); err != nil {
					t.Log(err)
				}
			}
		}
		foreign.Resume(20, 10)
		if err := foreign.Advance(100, 100, emit); err != nil {
			t.Fatal(err)
		}
		snapshotOf(t, foreign, true)
	})
}
