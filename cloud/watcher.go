package cloud

import (
	"time"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/worker"
)

const (
	awayGrace = 5 * time.Second  // without a session, before a quorum may do without the agent
	sayAgain  = 10 * time.Second // a statement that had no effect: a partition that changed its owner meanwhile ignores it
)

// patience is how long a pipeline version waits for agents.
type patience struct {
	wait, keep time.Duration // keep: 0 = for ever
	quorum     bool          // it does without some earlier
}

// holding is what is known of a connected agent: the pipeline versions that it has
// been given or has on its disk. Whole says that those it is to have now are among them.
type holding struct {
	lanes map[laneVersion]bool
	whole bool
}

// watcher follows since when agents have been silent. It reads no clock.
//
//	no session, or no frame ever ── grace, with a quorum ──▶ AWAY ── away.wait ──▶ passed over ── away.keep ──▶ removed
//	connected without the pipeline, no frame ever ─────────────────────────────────────────────────────────▶ removed
type watcher struct {
	since map[absent]absence
}

// absent is an agent of a pipeline version, as one partition's log tells of it.
type absent struct {
	partition int
	key       worker.MemberKey
}

type absence struct {
	began time.Time
	seen  time.Time // by the last round
	said  time.Time // when a statement was made last; zero = never
	what  record.Membership
}

func newWatcher() watcher { return watcher{since: map[absent]absence{}} }

// due gives what is to be stated of an agent now.
func (w *watcher) due(now time.Time, partition int, k worker.MemberKey, v worker.MemberView, held *holding, // nil = not connected

	of func(laneVersion) (patience, bool),
) (record.Membership, bool) {
	at := absent{partition, k}
	if v.Removed || v.Ended || held != nil && v.Heard {
		delete(w.since, at)
		return 0, false
	}
	a, ok := w.since[at]
	if !ok {
		a.began = now
	}
	a.seen = now
	defer func() { w.since[at] = a }()
	version := laneVersion{k.Pipeline, k.Version}
	p, known := of(version)
	state := record.Membership(0)
	switch passed := now.Sub(a.began); {
	case !known: // deleted
	case held != nil && held.whole && !held.lanes[version], p.keep > 0 && passed >= p.keep:
		state = record.Removed
	case passed >= p.wait && !v.Passed:
		state = record.Passed
	case p.quorum && v.Heard && !v.Away && passed >= awayGrace:
		state = record.Away
	}
	if state == 0 || state == a.what && now.Sub(a.said) < sayAgain {
		return 0, false
	}
	a.what, a.said = state, now
	return state, true
}

// sweep forgets agents that no partition tells of any more.
func (w *watcher) sweep(now time.Time) {
	for k, a := range w.since {
		if !a.seen.Equal(now) {
			delete(w.since, k)
		}
	}
}
