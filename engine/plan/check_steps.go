package plan

import (
	"errors"
	"fmt"
	"math"

	"github.com/leatio/leat/engine/batch"
)

// keys checks the key columns of a step, and that its columns are those of its
// input followed by others.
func stepKeys(what string, keys []uint32, n *Node, in []*Column, made ...*Column) error {
	if err := distinct("keys of "+what, keys, len(in)); err != nil {
		return err
	}
	if n == nil {
		return nil
	}
	if len(n.Schema) != len(in)+len(made) || !sameColumns(n.Schema[:len(in)], in, true) || !sameColumns(n.Schema[len(in):], made, false) {
		return fmt.Errorf("%s whose columns are not those of its input and its own", what)
	}
	return nil
}

func (c *checker) alert(a *Alert, n *Node, in []*Column) error {
	if a == nil {
		return errors.New("an empty alert")
	}
	made := []*Column{{Type: uint32(batch.String)}, {Type: uint32(batch.Timestamp)}}
	if err := stepKeys("an alert", a.Keys, n, in, made...); err != nil {
		return err
	}
	if err := timestampAt("time of an alert", a.TimeColumn, in); err != nil {
		return err
	}
	if a.ForMicros < 0 || a.SilentMicros < 0 {
		return errors.New("an alert with a negative duration")
	}
	if err := c.expr(a.When, uint32(batch.Bool), in); err != nil {
		return fmt.Errorf("when: %w", err)
	}
	if a.Clear == nil {
		return nil
	}
	if err := c.expr(a.Clear, uint32(batch.Bool), in); err != nil {
		return fmt.Errorf("clear: %w", err)
	}
	return nil
}

func (c *checker) changed(s *Changed, n *Node, in []*Column) error {
	if s == nil || len(s.Columns) == 0 || len(s.Columns) > len(in) {
		return errors.New("a step that compares no columns, or too many")
	}
	if err := stepKeys("changed", s.Keys, n, in); err != nil {
		return err
	}
	if s.HasTime {
		if err := timestampAt("time of changed", s.TimeColumn, in); err != nil {
			return err
		}
	}
	if s.HeartbeatMicros < 0 || s.HeartbeatMicros > 0 && !s.HasTime {
		return errors.New("a heartbeat that is negative, or without an event time")
	}
	cols := make([]uint32, len(s.Columns))
	for i, col := range s.Columns {
		cols[i] = col.GetColumn()
		if d := col.GetDeadband(); math.IsNaN(d) || math.IsInf(d, 0) || d < 0 {
			return fmt.Errorf("the deadband %v", d)
		}
	}
	if err := distinct("columns of changed", cols, len(in)); err != nil {
		return err
	}
	for i, col := range cols {
		number := batch.Type(in[col].Type) == batch.Int || batch.Type(in[col].Type) == batch.Double
		if s.Columns[i].Deadband > 0 && !number {
			return fmt.Errorf("a deadband for %q, which is no number", in[col].Name)
		}
	}
	return nil
}

func (c *checker) sample(s *Sample, n *Node, in []*Column) error {
	if s == nil || s.EveryMicros <= 0 {
		return errors.New("a sample without an interval")
	}
	if err := stepKeys("sample", s.Keys, n, in); err != nil {
		return err
	}
	return timestampAt("time of sample", s.TimeColumn, in)
}

func (c *checker) dedupe(s *Dedupe, n *Node, in []*Column) error {
	if s == nil || s.WithinMicros <= 0 || len(s.Keys) == 0 {
		return errors.New("a dedupe without an interval or keys")
	}
	if err := stepKeys("dedupe", s.Keys, n, in); err != nil {
		return err
	}
	return timestampAt("time of dedupe", s.TimeColumn, in)
}

func (c *checker) lookup(s *LookupJoin, n *Node, in []*Column) error {
	if s == nil || int64(s.Lookup) >= int64(len(c.plan.Lookups)) {
		return errors.New("a lookup in a table that the plan does not name")
	}
	if len(s.Keys) == 0 || len(s.Keys) != len(s.On) {
		return fmt.Errorf("a lookup with %d keys for %d columns of the table", len(s.Keys), len(s.On))
	}
	if len(n.Schema) != len(in)+len(s.Columns) {
		return fmt.Errorf("a lookup that adds %d columns and has %d more", len(s.Columns), len(n.Schema)-len(in))
	}
	for _, on := range append(append([]string(nil), s.On...), s.Columns...) {
		if err := name("a column of a lookup", on); err != nil {
			return err
		}
	}
	return stepKeys("a lookup", s.Keys, n, in, n.Schema[len(in):]...)
}

func (c *checker) keyed(s *Keyed, in []*Column) error {
	if s == nil || s.TtlMicros < 0 {
		return errors.New("a keyed step that is empty or with a negative duration")
	}
	if err := name("a keyed step's function", s.Function); err != nil {
		return err
	}
	if err := stepKeys("a keyed step", s.Keys, nil, in); err != nil {
		return err
	}
	return timestampAt("time of a keyed step", s.TimeColumn, in)
}
