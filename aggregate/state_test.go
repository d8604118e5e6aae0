package aggregate

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// encodedSpecs are the accumulators whose state has a Bytes column of its own.
var encodedSpecs = []Spec{
	{Kind: Sum, In: batch.Double}, {Kind: Moments, In: batch.Double}, {Kind: DDSketch, In: batch.Double, Param: ddAccuracy},
	{Kind: HyperLogLog, In: batch.String, Param: hllBits}, {Kind: Increase, In: batch.Int}, {Kind: Increase, In: batch.Double},
	{Kind: SpaceSaving, In: batch.String, Param: 20}, {Kind: SpaceSaving, In: batch.Double, Param: 20}, {Kind: SpaceSaving, In: batch.Int, Param: 20},
	{Kind: SpaceSaving, In: batch.Bool, Param: 20},
}

// encodedStates are states that rows give: of few, of many and of rows that need everything a state can hold.
func encodedStates(t testing.TB, s Spec) (states [][]byte) {
	r := rand.New(rand.NewPCG(8, 8))
	rows := goldenRows(s.In)
	for i := range 6000 { // so many that increase folds
		o := rows[i%len(rows)]
		o.at += int64(i/len(rows)) * 1_000_000_000
		rows = append(rows, o)
	}
	if s.In == batch.Double {
		for i := range 40 {
			rows = append(rows, obs{at: int64(i), v: pick(r, 1e300, -1e300, 1e-300, 5e-324, 1e16, 0)})
		}
	}
	for _, n := range []int{1, 5, 300, 3000, len(rows)} {
		node := newNode(t, []Spec{s}, s.In, 1)
		node.add(r, rows[:n], make([]uint32, n))
		if n == len(rows) && s.Kind != Sum && s.Kind != Moments {
			node.add(r, rows[n-40:], make([]uint32, 40))
		}
		cols := node.state(t, 0, []uint32{0})
		states = append(states, append([]byte(nil), cols[len(cols)-1].Blob(0)...))
	}
	return states
}

func stateColumns(t testing.TB, s Spec, encoded []byte) []batch.Column {
	types, err := StateTypes(s)
	if err != nil {
		t.Fatal(err)
	}
	cols := make([]batch.Column, len(types))
	for i, typ := range types {
		cols[i].Type = typ
		switch typ {
		case batch.Bytes:
			putBlob(&cols[i], encoded)
		case batch.Double:
			putDouble(&cols[i], 0)
		default:
			putInt(&cols[i], 1)
		}
	}
	return cols
}

func stateOf(t testing.TB, s Spec, a Accumulator) []byte {
	n := &node{specs: []Spec{s}, accs: []Accumulator{a}}
	cols := n.state(t, 0, []uint32{0})
	return append([]byte(nil), cols[len(cols)-1].Blob(0)...)
}

func merged(t testing.TB, s Spec, encoded []byte) Accumulator {
	a, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	a.Grow(1)
	a.Merge([]uint32{0}, stateColumns(t, s, encoded), nil)
	return a
}

// Encoding and decoding is the identity, and a state that is cut or has another format is refused and changes nothing.
func TestStatesDecodeToWhatTheyWere(t *testing.T) {
	for _, s := range encodedSpecs {
		empty := stateOf(t, s, merged(t, s, nil))
		for _, state := range encodedStates(t, s) {
			if err := CheckState(s, stateColumns(t, s, state), nil); err != nil {
				t.Errorf("%s: %v", s, err)
			}
			if got := stateOf(t, s, merged(t, s, state)); !bytes.Equal(got, state) && len(state) > 0 {
				t.Errorf("%s: state of %d bytes comes back as %d bytes", s, len(state), len(got))
			}
			if len(state) == 0 {
				continue // sums of few doubles
			}
			other := append([]byte{200}, state[1:]...)
			for _, bad := range [][]byte{state[:len(state)-1], append(state[:len(state):len(state)], 0), other} {
				if err := CheckState(s, stateColumns(t, s, bad), nil); !errors.Is(err, ErrState) {
					t.Errorf("%s: a damaged state: %v, want ErrState", s, err)
				}
				if got := stateOf(t, s, merged(t, s, bad)); s.Kind != Sum && s.Kind != Moments && !bytes.Equal(got, empty) {
					t.Errorf("%s: a damaged state gives %x", s, got)
				}
			}
		}
	}
	if err := CheckState(Spec{Kind: First, In: batch.Bytes}, []batch.Column{{Type: batch.Timestamp}, {Type: batch.Bytes}}, nil); err != nil {
		t.Errorf("first of bytes has no encoded state: %v", err)
	}
}

// FuzzState merges states from outside: no panic, memory in proportion to the bytes, and what was read is
// written again as a state that reads back as itself.
func FuzzState(f *testing.F) {
	for i, s := range encodedSpecs {
		for _, state := range encodedStates(f, s) {
			if len(state) < 4<<10 {
				f.Add(uint8(i), state)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, encoded []byte) {
		s := encodedSpecs[int(which)%len(encodedSpecs)]
		valid := CheckState(s, stateColumns(t, s, encoded), nil) == nil
		a := merged(t, s, encoded)
		if n := a.SizeBytes(); n > 40<<10+200*len(encoded) {
			t.Fatalf("%s: %d bytes of state take %d bytes of memory", s, len(encoded), n)
		}
		again := stateOf(t, s, a)
		if err := CheckState(s, stateColumns(t, s, again), nil); err != nil {
			t.Fatalf("%s: wrote what it does not read: %v", s, err)
		}
		if got := stateOf(t, s, merged(t, s, again)); len(again) > 0 && !bytes.Equal(got, again) {
			t.Fatalf("%s: %x comes back as %x", s, again, got)
		}
		if empty := stateOf(t, s, merged(t, s, nil)); !valid && s.Kind != Sum && s.Kind != Moments && !bytes.Equal(again, empty) {
			t.Fatalf("%s: an invalid state gives %x", s, again)
		}
		for _, c := range callsOf(s.In) {
			specs, typ, err := Resolve(c.function, c.star, s.In, c.param)
			if err != nil || len(specs) != 1 || specs[0].Kind != s.Kind {
				continue
			}
			out := batch.Column{Type: typ}
			if err := Finish(c.function, c.param, []Accumulator{a}, []uint32{0}, &out); err != nil {
				t.Fatal(err)
			}
		}
	})
}
