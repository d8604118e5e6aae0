package engine

import (
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
)

// rowEnv is what the operators of a fragment share: functions, where bad rows
// go, and the place in time of the batch that is on its way down the tree.
type rowEnv struct {
	exprs     expr.Env
	parts     stepParts
	reject    RejectFunc
	eventTime int64   // of the batch, as UDFs see it; microseconds
	watermark int64   // that stood before the batch
	before    []int64 // the watermark before each row of the batch; nil = it did not move
}

// watermarkBefore is the watermark before the first row of b that counts.
func (e *rowEnv) watermarkBefore(b *batch.Batch) int64 {
	switch {
	case e.before == nil || b.Len() == 0:
		return e.watermark
	case b.Sel != nil:
		return e.before[b.Sel[0]]
	default:
		return e.before[0]
	}
}

// RejectFunc takes a row that cannot be worked on. topic and payload are
// valid until it returns and may be empty in the cloud.
type RejectFunc func(topic string, payload []byte, reason string)

func (e *rowEnv) rejectRow(b *batch.Batch, row int, reason string) {
	if e.reject == nil {
		return
	}
	var topic string
	var payload []byte
	if b.Origin != nil {
		topic, payload = b.Origin.Message(row)
	}
	e.reject(topic, payload, reason)
}

// failures remembers which rows of a batch were rejected while expressions ran.
type failures struct {
	env  *rowEnv
	b    *batch.Batch
	rows map[int]struct{} // allocated on the first failure only
}

func (f *failures) begin(b *batch.Batch) { f.b = b; clear(f.rows) }

func (f *failures) fail(row int, reason string) {
	if _, dup := f.rows[row]; dup {
		return
	}
	if f.rows == nil {
		f.rows = make(map[int]struct{})
	}
	f.rows[row] = struct{}{}
	f.env.rejectRow(f.b, row, reason)
}

// drop returns the selection of b without the failed rows, in dst.
func (f *failures) drop(b *batch.Batch, dst []uint32) []uint32 {
	dst = dst[:0]
	keep := func(r uint32) {
		if _, bad := f.rows[int(r)]; !bad {
			dst = append(dst, r)
		}
	}
	if b.Sel != nil {
		for _, r := range b.Sel {
			keep(r)
		}
		return dst
	}
	for r := range b.N {
		keep(uint32(r))
	}
	return dst
}
