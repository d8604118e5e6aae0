package window

import (
	"math/rand/v2"
	"testing"
)

func TestGroupIndexEqualsMap(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		var x groupIndex
		for range 3 {
			want := map[uint32]uint32{}
			span := pick(r, 10, 1000, 100_000)
			for slot := range uint32(r.IntN(4000)) {
				g := uint32(r.IntN(span))
				if s, ok := x.get(g); ok {
					if want[g] != s {
						t.Fatalf("seed %d: group %d has slot %d, want %d", seed, g, s, want[g])
					}
					continue
				}
				if _, known := want[g]; known {
					t.Fatalf("seed %d: group %d is lost", seed, g)
				}
				x.put(g, slot)
				want[g] = slot
			}
			if x.count != len(want) {
				t.Fatalf("seed %d: count %d, want %d", seed, x.count, len(want))
			}
			for g, s := range want {
				if got, ok := x.get(g); !ok || got != s {
					t.Fatalf("seed %d: group %d has slot %d %v, want %d", seed, g, got, ok, s)
				}
			}
			x.reset()
		}
	}
}

// Many slices with one far group each stay small.
func TestGroupIndexIsSmallForFewGroups(t *testing.T) {
	var x groupIndex
	x.put(90_000, 1)
	x.put(5, 2)
	if n := x.sizeBytes(); n > 4096 {
		t.Errorf("two groups take %d bytes", n)
	}
}
