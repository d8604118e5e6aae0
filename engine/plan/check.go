package plan

import (
	"errors"
	"fmt"
	"math"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/internal/pb"
)

// Bounds of a plan. The compiler stays below them; a plan from outside that
// exceeds one is refused before anything is made from it.
const (
	MaxNodes     = 1024    // of a fragment
	MaxColumns   = 4096    // of a schema
	MaxExprDepth = 450     // calls within calls; pb.MaxDepth counts each twice
	MaxExprNodes = 16384   // of one expression
	MaxExprs     = 1 << 20 // expression nodes of a whole plan
	MaxModules   = 256
	MaxTopics    = 4096 // topics of a subscription, paths of a file source
	MaxNameBytes = 1024
)

// ErrPlan says that a plan is not consistent.
var ErrPlan = errors.New("inconsistent plan")

// Check tells whether a plan is consistent: every index in range, every type
// known, parents before children, every expression of the type that its place
// asks for. Unmarshal calls it, so that the engine can rely on it. Which
// operations and functions there are is for those who run them to know.
func Check(p *Plan) error {
	if p == nil {
		return fmt.Errorf("no plan: %w", ErrPlan)
	}
	c := checker{plan: p, budget: MaxExprs}
	for _, step := range []func() error{c.head, c.parameters, c.zoneRules, c.lookups, c.source, c.ports, c.edge, c.cloud, c.windows} {
		if err := step(); err != nil {
			return fmt.Errorf("%w: %w", ErrPlan, err)
		}
	}
	return nil
}

type checker struct {
	plan    *Plan
	budget  int // expression nodes left
	onEdge  bool
	written []bool // ports
	params  map[string]uint32
	zones   map[string]bool
	sinks   map[string]bool
	// The windows at both ends of ports, and final windows of the cloud by node.
	partials, finals []*Window
	rows             []*Window // of ports of forwarded rows: where they come from
	byNode           map[uint32]*Window
	arrived          map[uint32]*Window // of ports of forwarded rows: where they go
}

func (c *checker) head() error {
	p := c.plan
	if p.Format == 0 || p.Format > Format {
		return fmt.Errorf("format %d, known are 1 to %d", p.Format, Format)
	}
	if err := name("pipeline", p.Pipeline); err != nil {
		return err
	}
	if len(p.PipelineId) > MaxNameBytes {
		return errors.New("pipeline_id is too long")
	}
	if _, err := ParseSelector(p.Agents); err != nil {
		return fmt.Errorf("agents: %w", err)
	}
	if p.FreshnessMicros < 0 || p.AwayWaitMicros < 0 || p.KeepMicros < 0 || p.MaxLagMicros < 0 {
		return errors.New("a duration is negative")
	}
	if math.IsNaN(p.AwayQuorum) || p.AwayQuorum < 0 || p.AwayQuorum > 1 {
		return fmt.Errorf("away_quorum %v is no share", p.AwayQuorum)
	}
	if p.Spread > batch.KeyGroups {
		return fmt.Errorf("spread %d is above the %d key groups", p.Spread, batch.KeyGroups)
	}
	if len(p.Modules) > MaxModules {
		return fmt.Errorf("%d modules, at most %d", len(p.Modules), MaxModules)
	}
	seen := map[string]bool{}
	for i, m := range p.Modules {
		if m == nil || len(m.Sha256) != 32 {
			return fmt.Errorf("module %d has no SHA-256", i)
		}
		if err := name(fmt.Sprintf("module %d", i), m.Name); err != nil {
			return err
		}
		if seen[m.Name] {
			return fmt.Errorf("module %q stands there twice", m.Name)
		}
		seen[m.Name] = true
	}
	return nil
}

func (c *checker) source() error {
	s := c.plan.Source
	if s == nil {
		return errors.New("there is no source")
	}
	if s.Format == "" {
		return errors.New("the source has no format")
	}
	if s.MaxDisorderMicros < 0 || s.IdleAfterMicros < 0 || s.MaxFutureMicros < 0 {
		return errors.New("a duration of the source is negative")
	}
	if err := sourceKind(s); err != nil {
		return err
	}
	cols := make([]*Column, len(s.Columns))
	for i, col := range s.Columns {
		if col == nil {
			return fmt.Errorf("column %d of the source is missing", i)
		}
		if _, known := TimeUnit_name[int32(col.Unit)]; !known {
			return fmt.Errorf("column %q of the source has the unknown time unit %d", col.Name, col.Unit)
		}
		if _, known := Hidden_name[int32(col.Hidden)]; !known {
			return fmt.Errorf("column %q of the source has the unknown meaning %d", col.Name, col.Hidden)
		}
		want := map[Hidden]batch.Type{Hidden_HIDDEN_TOPIC: batch.String, Hidden_HIDDEN_AGENT: batch.String, Hidden_HIDDEN_RECEIVED_AT: batch.Timestamp}[col.Hidden]
		if col.Hidden != Hidden_HIDDEN_NONE && batch.Type(col.Type) != want {
			return fmt.Errorf("column %q of the source is of the type %s, not %s", col.Name, batch.Type(col.Type), want)
		}
		cols[i] = &Column{Name: col.Name, Type: col.Type}
	}
	if err := columns("the source", cols); err != nil {
		return err
	}
	if s.HasEventTime {
		return timestampAt("event_time of the source", s.EventTime, cols)
	}
	return nil
}

func sourceKind(s *Source) error {
	switch k := s.Kind.(type) {
	case *Source_Mqtt:
		m := k.Mqtt
		if m.GetBroker() == "" || len(m.GetTopics()) == 0 || len(m.GetTopics()) > MaxTopics || m.GetQos() > 1 {
			return errors.New("the MQTT source has no broker, no topics or too many, or a QoS above 1")
		}
	case *Source_File:
		if n := len(k.File.GetPaths()); n == 0 || n > MaxTopics {
			return fmt.Errorf("the file source has %d paths", n)
		}
	case *Source_Sim:
		if r := k.Sim.GetRate(); math.IsNaN(r) || math.IsInf(r, 0) || r < 0 || k.Sim.GetDevices() == 0 {
			return errors.New("the simulated source has no devices or a bad rate")
		}
	default:
		return errors.New("the source is of an unknown kind")
	}
	return nil
}

func (c *checker) ports() error {
	if len(c.plan.Ports) > MaxNodes {
		return fmt.Errorf("%d ports, at most %d", len(c.plan.Ports), MaxNodes)
	}
	for i, p := range c.plan.Ports {
		if p == nil {
			return fmt.Errorf("port %d is missing", i)
		}
		if _, known := Port_Kind_name[int32(p.Kind)]; !known {
			return fmt.Errorf("port %d is of the unknown kind %d", i, p.Kind)
		}
		if err := columns(fmt.Sprintf("port %d", i), p.Schema); err != nil {
			return err
		}
		if err := distinct(fmt.Sprintf("keys of port %d", i), p.Keys, len(p.Schema)); err != nil {
			return err
		}
		if p.FreshnessMicros < 0 {
			return fmt.Errorf("the freshness of port %d is negative", i)
		}
	}
	n := len(c.plan.Ports)
	c.partials, c.finals, c.rows = make([]*Window, n), make([]*Window, n), make([]*Window, n)
	c.byNode, c.arrived, c.sinks = map[uint32]*Window{}, map[uint32]*Window{}, map[string]bool{}
	return nil
}

// windows tells whether both ends of the ports of windows hold equal windows.
func (c *checker) windows() error {
	for i, p := range c.plan.Ports {
		a, b := c.partials[i], c.finals[i]
		if p.Kind == Port_WINDOW_ROWS {
			a, b = c.rows[i], c.arrived[uint32(i)]
		}
		if p.Kind != Port_ROWS && a == nil {
			return fmt.Errorf("no window writes port %d", i)
		}
		if b != nil && !pb.Equal(a, b) {
			return fmt.Errorf("the windows at both ends of port %d differ", i)
		}
		if a != nil && !firstN(p.Keys, len(a.Keys)) {
			return fmt.Errorf("port %d is split by other columns than its window's keys", i)
		}
	}
	return nil
}

func firstN(keys []uint32, n int) bool {
	if len(keys) != n {
		return false
	}
	for i, k := range keys {
		if int(k) != i {
			return false
		}
	}
	return true
}

func name(what, s string) error {
	if s == "" || len(s) > MaxNameBytes {
		return fmt.Errorf("%s has no name, or one above %d bytes", what, MaxNameBytes)
	}
	return nil
}

// columns checks a schema: known types, different names.
func columns(what string, cols []*Column) error {
	if len(cols) > MaxColumns {
		return fmt.Errorf("%s has %d columns, at most %d", what, len(cols), MaxColumns)
	}
	seen := make(map[string]bool, len(cols))
	for i, col := range cols {
		if err := name(fmt.Sprintf("column %d of %s", i, what), col.GetName()); err != nil {
			return err
		}
		if !validType(col.Type) {
			return fmt.Errorf("column %q of %s is of the unknown type %d", col.Name, what, col.Type)
		}
		if seen[col.Name] {
			return fmt.Errorf("%s has two columns %q", what, col.Name)
		}
		seen[col.Name] = true
	}
	return nil
}

func validType(t uint32) bool { return t <= math.MaxUint8 && batch.Type(t).Valid() }

// distinct checks positions among n columns.
func distinct(what string, at []uint32, n int) error {
	if len(at) > n {
		return fmt.Errorf("%s: %d of %d columns", what, len(at), n)
	}
	seen := make(map[uint32]bool, len(at))
	for _, k := range at {
		if int64(k) >= int64(n) || seen[k] {
			return fmt.Errorf("%s: column %d of %d is not there or stands there twice", what, k, n)
		}
		seen[k] = true
	}
	return nil
}

func timestampAt(what string, at uint32, cols []*Column) error {
	if int64(at) >= int64(len(cols)) {
		return fmt.Errorf("%s: column %d of %d", what, at, len(cols))
	}
	if batch.Type(cols[at].Type) != batch.Timestamp {
		return fmt.Errorf("%s: column %q is not a timestamp", what, cols[at].Name)
	}
	return nil
}

// sameColumns tells whether two schemas have equal types, and equal names too
// where named is true.
func sameColumns(a, b []*Column, named bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].GetType() != b[i].GetType() || named && a[i].GetName() != b[i].GetName() {
			return false
		}
	}
	return true
}
