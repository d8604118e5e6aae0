package engine

import (
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/window"
	"github.com/leatio/leat/engine/zone"
)

// edgeWindow feeds the rows of a batch to partial aggregates.
type edgeWindow struct {
	env         *rowEnv
	fresh, held partialPending
}

func newEdgeWindow(w *plan.Window, in batch.Schema, env *rowEnv, cfg window.PartialConfig) (*edgeWindow, error) {
	fresh, err := window.NewPartial(w, nil, in, cfg)
	if err != nil {
		return nil, err
	}
	held, err := window.NewPartial(w, nil, in, cfg)
	if err != nil {
		return nil, err
	}
	return &edgeWindow{env: env, fresh: partialPending{fresh}, held: partialPending{held}}, nil
}

func (w *edgeWindow) process(b *batch.Batch, _ Emit) error {
	return w.fresh.Process(b, w.env.before)
}

type partialPending struct{ *window.Partial }

func (p partialPending) merge(b *batch.Batch) error { return p.Merge(b) }
func (p partialPending) drain(dst *batch.Batch)     { p.Drain(dst) }
func (p partialPending) rows() int                  { return p.Rows() }
func (p partialPending) sizeBytes() int             { return p.SizeBytes() }
func (p partialPending) bound() int64 {
	if end, ok := p.EarliestPending(); ok {
		return end - 1
	}
	return noBound
}

// cloudWindow merges partials; results leave when the watermark advances.
type cloudWindow struct {
	final *window.Final
	fired int64
}

func newCloudWindow(w *plan.Window, z *zone.Zone, cfg window.FinalConfig) (*cloudWindow, error) {
	f, err := window.NewFinal(w, z, cfg)
	if err != nil {
		return nil, err
	}
	return &cloudWindow{final: f}, nil
}

func (w *cloudWindow) process(b *batch.Batch, _ Emit) error { return w.final.Merge(b) }

func (w *cloudWindow) advance(fire, keep int64, emit Emit) error {
	return w.final.Advance(fire, keep, func(b *batch.Batch) error {
		w.fired += int64(b.Len())
		return emit(b)
	})
}

func (w *cloudWindow) stateSchemas() []Section {
	var out []Section
	for _, s := range w.final.SnapshotSchemas() {
		out = append(out, Section{Schema: s})
	}
	return out
}

func (w *cloudWindow) changes(full bool, emit func(int, *batch.Batch) error) error {
	return w.final.Snapshot(full, emit)
}

func (w *cloudWindow) restore(section int, b *batch.Batch) error {
	return w.final.Restore(section, b)
}

func (w *cloudWindow) resume(fire, keep int64) { w.final.Resume(fire, keep) }
