package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/leatio/leat/engine/batch"
)

// Bounds of what stands at the head of a plan.
const (
	MaxParams      = 1024
	MaxSets        = 4096 // values of one parameter
	MaxZones       = 256
	MaxZoneChanges = 4096
	MaxLookups     = 256
	maxZoneOffset  = 48 * 3600 // seconds
)

func (c *checker) parameters() error {
	if len(c.plan.Params) > MaxParams {
		return fmt.Errorf("%d parameters, at most %d", len(c.plan.Params), MaxParams)
	}
	c.params = make(map[string]uint32, len(c.plan.Params))
	for i, p := range c.plan.Params {
		if err := name(fmt.Sprintf("parameter %d", i), p.GetName()); err != nil {
			return err
		}
		if _, twice := c.params[p.Name]; twice {
			return fmt.Errorf("parameter %q stands there twice", p.Name)
		}
		if !validType(p.Type) || len(p.Sets) > MaxSets {
			return fmt.Errorf("parameter %q is of the unknown type %d, or has too many values", p.Name, p.Type)
		}
		c.params[p.Name] = p.Type
		if err := literal(valueOf(p.Value), batch.Type(p.Type)); err != nil {
			return fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		for _, s := range p.Sets {
			if _, err := ParseSelector(s.GetAgents()); err != nil {
				return fmt.Errorf("parameter %q: %w", p.Name, err)
			}
			if err := literal(valueOf(s.GetValue()), batch.Type(p.Type)); err != nil {
				return fmt.Errorf("parameter %q: %w", p.Name, err)
			}
		}
	}
	return nil
}

func (c *checker) zoneRules() error {
	if len(c.plan.Zones) > MaxZones {
		return fmt.Errorf("%d time zones, at most %d", len(c.plan.Zones), MaxZones)
	}
	c.zones = make(map[string]bool, len(c.plan.Zones))
	for i, z := range c.plan.Zones {
		if err := name(fmt.Sprintf("time zone %d", i), z.GetName()); err != nil {
			return err
		}
		if c.zones[z.Name] {
			return fmt.Errorf("time zone %q stands there twice", z.Name)
		}
		c.zones[z.Name] = true
		if len(z.Changes) > MaxZoneChanges || tooFar(z.Offset) {
			return fmt.Errorf("time zone %q has too many changes, or lies too far off", z.Name)
		}
		for k, change := range z.Changes {
			if change == nil || tooFar(change.Offset) || k > 0 && change.At <= z.Changes[k-1].At || change.At > 1<<40 || change.At < -(1<<40) {
				return fmt.Errorf("change %d of time zone %q is not after the one before, or lies too far off", k, z.Name)
			}
		}
	}
	return nil
}

func tooFar(offset int64) bool { return offset > maxZoneOffset || offset < -maxZoneOffset }

func (c *checker) lookups() error {
	if len(c.plan.Lookups) > MaxLookups {
		return fmt.Errorf("%d reference tables, at most %d", len(c.plan.Lookups), MaxLookups)
	}
	for i, l := range c.plan.Lookups {
		if l == nil || len(l.Sha256) != 32 || l.RefreshMicros < 0 {
			return fmt.Errorf("reference table %d has no SHA-256, or a negative duration", i)
		}
		if err := name(fmt.Sprintf("reference table %d", i), l.Name); err != nil {
			return err
		}
	}
	return nil
}

// sink checks a sink over the columns that it gets.
func (c *checker) sink(s *Sink, in []*Column) error {
	if len(s.GetName()) > MaxNameBytes || len(s.GetBranch()) > MaxNameBytes {
		return errors.New("the name of a sink is too long")
	}
	if s.GetName() != "" && c.sinks[s.Name] || c.onEdge && s.GetName() == "" {
		return fmt.Errorf("the sink %q stands there twice, or a sink on the edge has no name", s.GetName())
	}
	c.sinks[s.GetName()] = true
	switch k := s.GetKind().(type) {
	case *Sink_Table:
		if c.onEdge {
			return errors.New("a table has no place on the edge")
		}
		return table(k.Table, in)
	case *Sink_Stdout:
		if c.onEdge {
			return errors.New("standard output has no place on the edge")
		}
		return nil
	case *Sink_File:
		return name("a file", k.File.GetPath())
	case *Sink_Mqtt:
		if !c.onEdge {
			return errors.New("an MQTT sink has no place in the cloud")
		}
		return mqttSink(k.Mqtt, in)
	}
	return errors.New("a sink of an unknown kind")
}

func table(t *TableSink, in []*Column) error {
	if err := name("a table", t.GetName()); err != nil {
		return err
	}
	if t.KeepMicros < 0 {
		return errors.New("a negative duration")
	}
	if t.HasTimeColumn {
		if err := timestampAt("time of the table", t.TimeColumn, in); err != nil {
			return err
		}
	}
	return distinct("keys of the table", t.Keys, len(in))
}

func mqttSink(m *MqttSink, in []*Column) error {
	if m.GetConnection().GetBroker() == "" || m.GetTopic() == "" || len(m.GetTopic()) > MaxNameBytes || m.GetQos() > 1 {
		return errors.New("an MQTT sink without a broker or a topic, or with a QoS above 1")
	}
	rest := m.Topic
	for {
		before, after, found := strings.Cut(rest, "{")
		if !found {
			return nil
		}
		column, tail, closed := strings.Cut(after, "}")
		if !closed {
			return fmt.Errorf("topic %q: a { is not closed", m.Topic)
		}
		rest = tail
		if strings.HasSuffix(before, "$") { // ${param.x}
			continue
		}
		known := false
		for _, col := range in {
			known = known || col.Name == column
		}
		if !known {
			return fmt.Errorf("topic %q: there is no column %q", m.Topic, column)
		}
	}
}
