package cloud

import (
	"context"
	"time"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/worker"
)

// workers are the partitions' owners in this process, as the gateway asks them.
type workers []*worker.Worker

// Lane waits until the partition's worker has applied the record at offset, then gives the lane.
func (w workers) Lane(ctx context.Context, partition int, offset uint64, k worker.LaneKey) (worker.LaneView, bool, error) {
	if err := w[partition].WaitApplied(ctx, offset); err != nil {
		return worker.LaneView{}, false, err
	}
	v, ok := w[partition].Lane(k)
	return v, ok, nil
}

// Watermark is the one up to which a pipeline's windows have fired.
func (w workers) Watermark(partition int, pipeline string, version uint64) int64 {
	for _, p := range w[partition].View().Pipelines {
		if p.ID == pipeline && p.Version == version {
			return p.Watermark
		}
	}
	return record.NoWatermark
}

// Epoch is the owner epoch of a partition.
func (w workers) Epoch(partition int) uint64 { return w[partition].View().Epoch }

// away follows which agents have no session for longer than wait.
type away struct {
	wait   time.Duration
	since  map[string]time.Time // agents without a session, since when
	posted map[string]time.Time // when AWAY was last given to the logs
}

func newAway(wait time.Duration) *away {
	return &away{wait: wait, since: map[string]time.Time{}, posted: map[string]time.Time{}}
}

// due tells which agents count as AWAY from now on. known are those that any
// partition has heard of, with whether the log says AWAY already; connected are those with a session.
func (a *away) due(now time.Time, known map[string]bool, connected map[string]bool) []string {
	var out []string
	for agent, isAway := range known {
		if connected[agent] {
			delete(a.since, agent)
			delete(a.posted, agent)
			continue
		}
		began, seen := a.since[agent]
		if !seen {
			a.since[agent] = now
			continue
		}
		if isAway || now.Sub(began) < a.wait {
			continue
		}
		// Again where it had no effect: a partition that changed its owner meanwhile ignores it.
		if at, ok := a.posted[agent]; !ok || now.Sub(at) >= a.wait {
			a.posted[agent] = now
			out = append(out, agent)
		}
	}
	return out
}
