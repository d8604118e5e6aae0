package simengine

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/engine/compile"
)

var (
	firstSeed = flag.Uint64("seed", 1, "first seed")
	seeds     = flag.Uint64("seeds", 2000, "how many seeds; 0 = as many as -for allows")
	duration  = flag.Duration("for", 0, "how long; 0 = until all seeds are done")
)

// TestFleet compares the tables of random fleets with the oracle's.
func TestFleet(t *testing.T) {
	began := time.Now()
	met := map[string]int{}
	n := uint64(0)
	for ; (*seeds == 0 || n < *seeds) && (*duration == 0 || time.Since(began) < *duration); n++ {
		run(t, *firstSeed+n, met)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d seeds from %d on in %s; met: %s", n, *firstSeed, time.Since(began).Round(time.Second), describe(met))
	if n < 300 {
		return // too few to meet everything
	}
	for _, what := range []string{"tumbling", "hopping", "cumulative", "session", "several windows", "days", "chain", "early", "having", "place: cloud", "bounded groups",
		"late", "idle", "return from IDLE", "away", "passed over", "return with backlog", "agent restarted", "new owner", "repeated frames", "revised", "deleted"} {
		if met[what] == 0 {
			t.Errorf("no seed met: %s", what)
		}
	}
}

func describe(met map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(met)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, met[k]))
	}
	return strings.Join(parts, ", ")
}

// run plays one world.
func run(t *testing.T, seed uint64, met map[string]int) {
	w := newWorld(seed)
	p, err := compile.Compile([]byte(w.pipeline()), compile.Options{File: "w.yaml", PipelineID: "w-1", Version: 1})
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, w.pipeline())
	}
	f := newFleet(t, w, p)
	f.run()
	f.stop()
	var events [][]event
	for _, a := range f.agents {
		events = append(events, a.events)
	}
	want, late := w.oracle(events)
	if diff := difference(f.tables.rows, want); diff != "" {
		t.Errorf("seed %d: the tables differ: %s\n%s", seed, diff, w.pipeline())
	}
	for k, n := range f.met {
		met[k] += n
	}
	met["late"] += late
	met["revised"] += f.tables.revised
	met["deleted"] += f.tables.deleted
	met["results"] += len(want)
	for _, s := range w.windows {
		met[s.kind]++
	}
	for name, has := range map[string]bool{"several windows": len(w.windows) > 1, "days": w.zone != "", "chain": w.chain > 0, "early": w.early > 0, "having": w.having > 0, "place: cloud": w.place != "", "bounded groups": w.groups > 0} {
		if has {
			met[name]++
		}
	}
}

// difference names the first rows that differ.
func difference(got, want results) string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(want)) {
		switch g, there := got[id]; {
		case !there:
			out = append(out, fmt.Sprintf("missing %s: %s", id, want[id]))
		case g != want[id]:
			out = append(out, fmt.Sprintf("%s\n  got  %s\n  want %s", id, g, want[id]))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(got)) {
		if _, there := want[id]; !there {
			out = append(out, fmt.Sprintf("too many: %s: %s", id, got[id]))
		}
	}
	if len(out) == 0 {
		return ""
	}
	n := len(out)
	return fmt.Sprintf("%d rows of %d\n%s", n, len(want), strings.Join(out[:min(n, 5)], "\n"))
}
