package engine

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/window"
)

// edgeFinal is a window that ends on the edge: it takes the partials of the
// partial window before it, when one of its windows is due or its state is asked for. Its
// state goes by key, as an agent keeps it.
type edgeFinal struct {
	*resultWindow
	final    *window.Final
	source   *edgeWindow
	partials *batch.Batch
	early    int64
	round    int64 // of early emissions: the watermark over early
}

func (e *Edge) edgeFinal(t *tree, n *plan.Node, w *plan.Window) (operator, error) {
	source, ok := t.op(n.Input).(*edgeWindow)
	if !ok || source.ported {
		return nil, fmt.Errorf("a window ends on the edge that reads no partial window, or one with a port: %w", ErrPlan)
	}
	r, final, err := newFinalWindow(w, e.env, window.FinalConfig{LastOnly: e.cfg.LastOnly, SayGone: true})
	if err != nil {
		return nil, err
	}
	source.local = true
	partial, err := window.PartialSchema(w)
	if err != nil {
		return nil, err
	}
	return &edgeFinal{resultWindow: r, final: final, source: source, partials: batch.New(partial), early: w.EarlyMicros}, nil
}

// pull takes what the partial window has.
func (f *edgeFinal) pull() error {
	if f.source.fresh.Rows() == 0 {
		return nil
	}
	f.partials.Reset()
	f.source.fresh.Drain(f.partials)
	return f.final.Merge(f.partials)
}

func (f *edgeFinal) advance(fire, keep int64, emit Emit) error {
	at, due := f.final.FireableAt()
	end, pending := f.source.fresh.EarliestPending()
	due = due && at <= fire || pending && end <= fire || f.source.fresh.Full()
	if f.early > 0 && fire/f.early != f.round {
		due, f.round = true, fire/f.early
	}
	if !due {
		return nil
	}
	if err := f.pull(); err != nil {
		return err
	}
	return f.resultWindow.advance(fire, keep, emit)
}

// changes leaves the header out where there is nothing else to say.
func (f *edgeFinal) changes(full bool, emit func(int, *batch.Batch) error) error {
	if err := f.pull(); err != nil {
		return err
	}
	var header *batch.Batch
	return f.Snapshot(full, func(section int, b *batch.Batch) error {
		if section == 0 && !full {
			header = b
			return nil
		}
		if header != nil {
			if err := emit(0, header); err != nil {
				return err
			}
			header = nil
		}
		return emit(section, b)
	})
}
