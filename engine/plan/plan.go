// Package plan is the typed plan of a pipeline: the messages of plan.proto and
// what every reader of them needs. The compiler (engine/compile) makes plans; agents and
// workers only execute them, so this package knows no SQL and no YAML.
package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/internal/pb"
)

//go:generate go run github.com/leatio/leat/internal/pb/pbgen plan.proto

// Format is the newest plan format that this build reads and the one it writes.
const Format = 1

// ErrFormat says that a plan was written by a newer Leat.
var ErrFormat = errors.New("plan format is newer than this build")

// Marshal gives the bytes of a plan; equal plans give equal bytes.
func Marshal(p *Plan) ([]byte, error) {
	return pb.Append(nil, p)
}

// Unmarshal reads and checks a plan's bytes, which may come from outside.
func Unmarshal(b []byte) (*Plan, error) {
	p := new(Plan)
	if err := pb.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if p.Format > Format {
		return nil, fmt.Errorf("plan format %d: %w (up to %d): upgrade it", p.Format, ErrFormat, Format)
	}
	if err := Check(p); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return p, nil
}

// SchemaOf converts columns to a batch schema.
func SchemaOf(cols []*Column) batch.Schema {
	s := make(batch.Schema, len(cols))
	for i, c := range cols {
		s[i] = batch.Field{Name: c.Name, Type: batch.Type(c.Type)}
	}
	return s
}

// ColumnsOf converts a batch schema to columns.
func ColumnsOf(s batch.Schema) []*Column {
	cols := make([]*Column, len(s))
	for i, f := range s {
		cols[i] = &Column{Name: f.Name, Type: uint32(f.Type)}
	}
	return cols
}

// Schema is the schema of the batches that the source's decoder makes.
func (s *Source) Schema() batch.Schema {
	out := make(batch.Schema, len(s.Columns))
	for i, c := range s.Columns {
		out[i] = batch.Field{Name: c.Name, Type: batch.Type(c.Type)}
	}
	return out
}

// LaneVersion is the version under which the plan's frames and state are
// filed: its own, or the earlier one whose state it goes on with.
func (p *Plan) LaneVersion() uint64 {
	if p.StateVersion != 0 {
		return p.StateVersion
	}
	return p.Version
}

// lookupsOfTheEdge are the reference tables that no node in the cloud reads. Their
// content may change within a lane; in the cloud it belongs to a version of its own.
func (p *Plan) lookupsOfTheEdge() []*Lookup {
	var out []*Lookup
	for i, l := range p.Lookups {
		if !slices.ContainsFunc(p.Cloud.GetNodes(), func(n *Node) bool {
			j := n.GetLookup()
			return j != nil && int(j.Lookup) == i
		}) {
			out = append(out, l)
		}
	}
	return out
}

// SameState tells whether a plan can go on with the state and the lanes of
// another: nothing differs but where rows come from and how fresh results are. Nor may the selector differ: an agent
// that it left out has ended its lane, and could not go on with it when a later version selects it again.
func SameState(a, b *Plan) bool {
	core := func(p *Plan) *Plan {
		c := pb.Clone(p)
		c.Version, c.StateVersion, c.TakesOver, c.FreshnessMicros, c.FreshnessWindow = 0, 0, 0, 0, false
		c.AwayWaitMicros, c.StartsAtMicros = 0, 0
		if c.Source != nil {
			c.Source.Kind, c.Source.Format, c.Source.IdleAfterMicros, c.Source.MaxFutureMicros = nil, "", 0, 0
		}
		for _, l := range c.lookupsOfTheEdge() {
			l.Sha256, l.SizeBytes, l.RefreshMicros = nil, 0, 0
		}
		return c
	}
	return pb.Equal(core(a), core(b))
}
