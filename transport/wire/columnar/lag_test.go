package columnar

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

var keyedSchema = batch.Schema{
	{Name: "before", Type: batch.Int}, {Name: "site", Type: batch.String}, {Name: "device", Type: batch.String},
	{Name: "ts", Type: batch.Timestamp}, {Name: "n", Type: batch.Int}, {Name: "v", Type: batch.Double}, {Name: "blob", Type: batch.Bytes},
}

// keyedRows are readings of devices, in turn or not, with and without nulls in every column.
func keyedRows(r *rand.Rand) *batch.Batch {
	b := batch.New(keyedSchema)
	devices, inTurn, nulls := 1+r.IntN(40), r.IntN(2) == 0, r.IntN(len(keyedSchema)+4)
	walks := make([]int64, devices)
	for i := range walks {
		walks[i] = int64(r.IntN(1 << 30))
	}
	b.Cols[1].Dict, b.Cols[2].Dict = batch.NewDict(), batch.NewDict()
	perMilli := 1 + r.IntN(20)
	for i := range 20 + r.IntN(400) {
		d := i % devices
		if !inTurn {
			d = r.IntN(devices)
		}
		walks[d] += int64(r.IntN(7) - 3)
		for c := range b.Cols {
			col := &b.Cols[c]
			switch {
			case c == nulls && r.IntN(3) == 0:
				col.AppendNull()
				continue
			case col.Type == batch.String:
				col.Codes = append(col.Codes, col.Dict.CodeString(fmt.Sprintf("%d-%s", d*c*7919%1000, keyedSchema[c].Name)))
			case col.Type == batch.Double:
				col.Doubles = append(col.Doubles, float64(walks[d])/100)
			case col.Type == batch.Bytes:
				col.AppendBlob(make([]byte, d))
			case col.Type == batch.Timestamp:
				col.Ints = append(col.Ints, 1_700_000_000_000_000+int64(i/perMilli)*1000)
			default:
				col.Ints = append(col.Ints, walks[d])
			}
			if col.Valid != nil {
				col.Valid = col.Valid.Append(col.Len()-1, true)
			}
		}
		b.N++
	}
	if r.IntN(3) == 0 {
		for i := range b.N {
			if r.IntN(4) > 0 {
				b.Sel = append(b.Sel, uint32(i))
			}
		}
	}
	return b
}

func TestKeyedRowsRoundTrip(t *testing.T) {
	for seed := range uint64(400) {
		b := keyedRows(rand.New(rand.NewPCG(seed, 5)))
		got := batch.New(keyedSchema)
		rest, err := Decode(Append(nil, keyedSchema, b), keyedSchema, got, Limits{})
		if err != nil || len(rest) > 0 {
			t.Fatalf("seed %d: %v, %d bytes left", seed, err, len(rest))
		}
		mustEqual(t, rowsOf(b), rowsOf(got))
	}
}

// Readings are stored as what they moved since the device's last one, and times by their period.
func TestReadingsAreStoredByDevice(t *testing.T) {
	c := newClimate(50, "random")
	dict := batch.NewDict()
	b := c.batch(2000, dict)
	whole := len(Append(nil, climateSchema, b))
	alone := 0
	for i := range climateSchema { // without the key in the same batch
		alone += len(Append(nil, climateSchema[i:i+1], &batch.Batch{Cols: b.Cols[i : i+1], N: b.N}))
	}
	if whole*3 > alone*2 {
		t.Errorf("%d bytes with the key beside the readings, %d without", whole, alone)
	}
	times := &batch.Batch{Cols: b.Cols[1:2], N: b.N}
	if n := len(Append(nil, climateSchema[1:2], times)); n > 50 {
		t.Errorf("2,000 times of which ten are equal take %d bytes", n)
	}
}

func TestLagsAreRefused(t *testing.T) {
	s := batch.Schema{{Name: "n", Type: batch.Int}}
	head := byte(transformLag | packSame<<2)
	for name, ints := range map[string][]byte{
		"by key without a key": {head, 0, 0, 0, 0},
		"distance of all":      {head, 4, 0, 0, 0},
		"lag inside a lag":     {head, 2, head, 1, 0, 0, 0, 0},
		"cut":                  {head, 1},
	} {
		src := append([]byte{4, 1, byte(batch.Int)}, ints...)
		if _, err := Decode(src, s, batch.New(s), Limits{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}
