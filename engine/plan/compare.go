package plan

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/internal/pb"
)

// Kept says how much a new version of a pipeline goes on with.
type Kept uint8

// From the least to the most.
const (
	KeptNothing Kept = iota // it starts at a boundary of windows
	KeptWindows             // agents send it in lanes of its own; the states of windows in the cloud go over
	KeptAll                 // lanes and states
)

// Change tells what a new version of a pipeline goes on with.
type Change struct {
	Kept    Kept
	Windows []WindowChange // of KeptWindows
	Reasons []string       // why it is not more, for people
}

// WindowChange pairs a final window of the cloud fragment with that of the version before.
type WindowChange struct {
	Old, Next uint32 // nodes
	// Accumulators has, for each of the new window's, the old one's that it goes on with, or -1.
	Accumulators []int
}

// Compare tells what next can go on with of the version before it. State is kept where
// which rows come into a window, its keys and its slices are the same: accumulators may come and go.
func Compare(old, next *Plan) Change {
	if SameState(old, next) {
		return Change{Kept: KeptAll}
	}
	c := comparison{old: old, next: next}
	c.whole()
	names := map[string]uint32{}
	for _, n := range next.Cloud.GetNodes() {
		if w := n.GetFinalWindow(); w != nil {
			names[w.Name] = n.Id
		}
	}
	for _, n := range old.Cloud.GetNodes() {
		w := n.GetFinalWindow()
		if w == nil {
			continue
		}
		if id, ok := names[w.Name]; ok {
			c.window(n.Id, id)
		}
	}
	if len(c.change.Reasons) > 0 {
		return Change{Kept: KeptNothing, Reasons: c.change.Reasons}
	}
	c.change.Kept = KeptWindows
	return c.change
}

type comparison struct {
	old, next *Plan
	change    Change
}

func (c *comparison) differ(format string, args ...any) {
	c.change.Reasons = append(c.change.Reasons, fmt.Sprintf(format, args...))
}

// whole compares what all windows lean on.
func (c *comparison) whole() {
	if c.old.Spread != c.next.Spread {
		c.differ("it is spread over %d partitions, before it was %d", c.next.Spread, c.old.Spread)
	}
	for _, p := range []*Plan{c.old, c.next} {
		for _, n := range p.Cloud.GetNodes() {
			if remembers(n) {
				c.differ("a step in the cloud remembers rows")
				return
			}
		}
	}
}

// remembers tells whether a node of the cloud has a state other than that of a final window.
func remembers(n *Node) bool {
	switch n.Op.(type) {
	case *Node_ChainWindow, *Node_Alert, *Node_Changed, *Node_Sample, *Node_Dedupe, *Node_Keyed:
		return true
	default:
		return false
	}
}

// window compares two final windows of one name.
func (c *comparison) window(old, next uint32) {
	a, b := c.old.Cloud.Nodes[old].GetFinalWindow(), c.next.Cloud.Nodes[next].GetFinalWindow()
	name := b.Name
	if name == "" {
		name = "the window"
	}
	from, okOld := halfOf(c.old, old)
	to, okNext := halfOf(c.next, next)
	if !okOld || !okNext {
		c.differ("%s: its first half is not found", name)
		return
	}
	before := len(c.change.Reasons)
	_, oldRows := WindowPorts(c.old, old)
	_, nextRows := WindowPorts(c.next, next)
	if oldRows >= 0 && nextRows < 0 {
		c.differ("%s: rows of it were forwarded, and no longer can be", name)
	}
	if from.rows != to.rows {
		c.differ("%s: other rows come into it", name)
	}
	if !slices.Equal(from.keys, to.keys) || !equalColumns(a.Keys, b.Keys) {
		c.differ("%s: its keys are others", name)
	}
	if from.time != to.time {
		c.differ("%s: its event time is another", name)
	}
	if !sameSlices(c.old, c.next, a, b) {
		c.differ("%s: it cuts time in other ways", name)
	}
	if len(c.change.Reasons) > before {
		return
	}
	w := WindowChange{Old: old, Next: next}
	for _, acc := range to.accumulators {
		w.Accumulators = append(w.Accumulators, slices.Index(from.accumulators, acc))
	}
	c.change.Windows = append(c.change.Windows, w)
}

func equalColumns(a, b []*Column) bool {
	return slices.EqualFunc(a, b, func(x, y *Column) bool { return pb.Equal(x, y) })
}

// sameSlices tells whether two windows have the same slices and ends.
func sameSlices(old, next *Plan, a, b *Window) bool {
	same := func(x, y *WindowSpec) bool { return pb.Equal(x, y) }
	return a.SliceMicros == b.SliceMicros && a.TimeZone == b.TimeZone && slices.EqualFunc(a.Windows, b.Windows, same) &&
		(a.TimeZone == "" || pb.Equal(zoneOf(old, a.TimeZone), zoneOf(next, a.TimeZone)))
}

func zoneOf(p *Plan, name string) *Zone {
	for _, z := range p.Zones {
		if z.Name == name {
			return z
		}
	}
	return &Zone{}
}
