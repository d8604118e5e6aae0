package aggregate

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenRows are deterministic rows of a type, so that states and results are the same on every machine.
func goldenRows(typ batch.Type) []obs {
	r := rand.New(rand.NewPCG(20, 25))
	var rows []obs
	for i := range 3000 {
		o := obs{at: 1_700_000_000_000_000 + int64(i)*100_000}
		walk := 1000 + i%700*3 // a counter that begins anew
		switch typ {
		case batch.Bool:
			o.v = i%3 == 0
		case batch.Int:
			o.v = int64(walk)
		case batch.Double:
			o.v = float64(walk)/10 + float64(r.IntN(3)-1)/10
			switch {
			case i%97 == 0:
				o.v = -math.Ldexp(1.5, i%40-20)
			case i%101 == 0:
				o.v = 0.0
			}
		case batch.String:
			o.v = fmt.Sprintf("dev-%d", i*i%127)
		case batch.Bytes:
			o.v = []byte{byte(i * i), byte(i)}
		case batch.Timestamp:
			o.v = o.at / 60_000_000 * 60_000_000
		}
		if i%50 == 0 {
			o.v = nil
		}
		rows = append(rows, o)
	}
	return rows
}

// goldenText describes states and results of rows of a type: of few rows, many rows, and these after a merge.
func goldenText(t testing.TB, typ batch.Type) string {
	var b strings.Builder
	rows := goldenRows(typ)
	for _, c := range callsOf(typ) {
		specs, result, err := Resolve(c.function, c.star, typ, c.param)
		if err != nil {
			t.Fatal(err)
		}
		n := newNode(t, specs, typ, 4)
		r := rand.New(rand.NewPCG(3, 4))
		n.add(r, rows[:7], make([]uint32, 7))
		n.add(r, rows[7:1800], fill(1800-7, 1))
		n.add(r, rows[1800:], fill(1200, 2))
		for i := range specs {
			cols := n.state(t, i, []uint32{0, 1, 2})
			n.accs[i].Merge([]uint32{3, 3, 3}, cols, nil)
		}
		out := batch.Column{Type: result}
		if err := Finish(c.function, c.param, n.accs, []uint32{0, 1, 2, 3}, &out); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", c)
		for slot := range 4 {
			fmt.Fprintf(&b, "  %s\n", goldenValue(&out, slot))
		}
		for i, s := range specs {
			cols := n.state(t, i, []uint32{0, 3})
			for row := range 2 {
				fmt.Fprintf(&b, "  %s:", s)
				for k := range cols {
					fmt.Fprintf(&b, " %s", goldenValue(&cols[k], row))
				}
				b.WriteByte('\n')
			}
		}
	}
	return b.String()
}

func fill(n int, v uint32) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func goldenValue(c *batch.Column, i int) string {
	switch v := valueAt(c, i).(type) {
	case float64:
		return fmt.Sprintf("%v=%016x", v, math.Float64bits(v))
	case []byte:
		if len(v) > 400 {
			return fmt.Sprintf("%d bytes %x..., crc of all %08x", len(v), v[:64], checksum(v))
		}
		return "x" + hex.EncodeToString(v)
	default:
		return fmt.Sprint(v)
	}
}

func checksum(p []byte) (c uint32) {
	for _, b := range p {
		c = c*16777619 ^ uint32(b)
	}
	return c
}

// States stand in frames and checkpoints: their bytes never change within a format, and are the same on
// every architecture. So are the results.
func TestGoldenStates(t *testing.T) {
	for typ := batch.Bool; typ <= batch.Timestamp; typ++ {
		name := "testdata/states-" + typ.String() + ".txt"
		got := []byte(goldenText(t, typ))
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
			for i := range min(len(g), len(w)) {
				if g[i] != w[i] {
					t.Errorf("%s:%d:\n got %s\nwant %s", name, i+1, g[i], w[i])
				}
			}
			t.Errorf("%s differs", name)
		}
	}
}
