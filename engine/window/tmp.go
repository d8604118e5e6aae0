// Package window has the two halves of the window step.
package window

import (
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

const nb = "BUG: not built yet"

// PartialSchema is the schema of partial batches: keys, slice_start, slice_end, states.
func PartialSchema(w *plan.Window) (batch.Schema, error) { panic(nb) }

// ResultSchema is the schema of result batches: window_start, window_end, keys, results, _revision.
func ResultSchema(w *plan.Window) (batch.Schema, error) { panic(nb) }

// SnapshotSchema is PartialSchema followed by _revision (int) and _pending (bool).
func SnapshotSchema(w *plan.Window) (batch.Schema, error) { panic(nb) }

// Partial is the edge half.
type Partial struct{}

func NewPartial(w *plan.Window, in batch.Schema, cfg PartialConfig) (*Partial, error) { panic(nb) }

// Process takes rows in. watermarks[i] is the watermark before row i (of b.N); nil = none at all.
func (p *Partial) Process(b *batch.Batch, watermarks []int64) error { panic(nb) }
func (p *Partial) Merge(b *batch.Batch) error                       { panic(nb) }
func (p *Partial) Drain(dst *batch.Batch)                           { panic(nb) }

// Full asks the caller to Drain before the next Process.
func (p *Partial) Full() bool     { panic(nb) }
func (p *Partial) Rows() int      { panic(nb) }
func (p *Partial) SizeBytes() int { panic(nb) }

// MaxSliceEnd is the largest slice end pending; math.MinInt64 when nothing is.
func (p *Partial) MaxSliceEnd() int64 { panic(nb) }
func (p *Partial) Late() int64        { panic(nb) }

// Invalid counts the rows dropped for a null or absurd event time.
func (p *Partial) Invalid() int64 { panic(nb) }

// Final is the cloud half.
type Final struct{}

func NewFinal(w *plan.Window, cfg FinalConfig) (*Final, error) { panic(nb) }
func (f *Final) Merge(b *batch.Batch) error                    { panic(nb) }
func (f *Final) Advance(fire, keep int64, emit func(*batch.Batch) error) error {
	panic(nb)
}
func (f *Final) Snapshot(full bool, dst *batch.Batch) error { panic(nb) }
func (f *Final) Restore(b *batch.Batch) error               { panic(nb) }

// Resume sets the watermarks as stored with the snapshot, after the last Restore, and forgets what they had made the Final forget; nothing is emitted.
func (f *Final) Resume(fire, keep int64) { panic(nb) }

// FireableAt is the lowest fire watermark at which Advance would emit something.
func (f *Final) FireableAt() (end int64, ok bool) { panic(nb) }
func (f *Final) TooLate() int64                   { panic(nb) }
func (f *Final) States() int                      { panic(nb) }
func (f *Final) SizeBytes() int                   { panic(nb) }
