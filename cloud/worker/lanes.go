package worker

import (
	"cmp"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine"
)

// LaneKey names a sequence of frames.
type LaneKey struct {
	Agent    string
	Epoch    uint64
	Pipeline string
	Version  uint64
	Lane     uint32
}

func (k LaneKey) agent() agentKey { return agentKey{k.Agent, k.Version} }

func (k LaneKey) compare(b LaneKey) int {
	return cmp.Or(cmp.Compare(k.Agent, b.Agent), cmp.Compare(k.Epoch, b.Epoch), cmp.Compare(k.Pipeline, b.Pipeline),
		cmp.Compare(k.Version, b.Version), cmp.Compare(k.Lane, b.Lane))
}

// absence says whether windows count on hearing from an agent.
type absence uint8

const (
	present absence = iota
	away            // it cannot be reached; windows wait for it
	passed          // likewise, and windows no longer wait
)

// lane is what the worker knows of one sequence of frames.
type lane struct {
	key       LaneKey
	last      uint64
	sum       uint32
	watermark int64
	idle      bool
	absence   absence
	dirty     bool // changed since the last checkpoint
}

// verdict is what the sequence rule says of an entry.
type verdict uint8

const (
	apply verdict = iota
	duplicate
	gap      // numbers between are missing
	mismatch // the frame before is not the one that was applied
	fenced   // a lower store epoch than one already seen
)

// judge is the sequence rule.
func (l *lane) judge(e *record.Entry) verdict {
	switch {
	case e.To <= l.last:
		return duplicate
	case e.From != l.last+1:
		return gap
	case e.Before != l.sum:
		return mismatch
	default:
		return apply
	}
}

// advance notes that e was applied.
func (l *lane) advance(e *record.Entry) {
	l.last, l.sum = e.To, e.Sum
	l.idle = e.Flags&record.FlagIdle != 0
	l.absence = present
	l.watermark = max(l.watermark, e.Watermark)
	l.dirty = true
}

// ended tells whether the agent has said that nothing more will come.
func (l *lane) ended() bool { return l.watermark >= engine.EndOfTime }
