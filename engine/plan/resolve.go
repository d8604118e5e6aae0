package plan

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/internal/pb"
)

// Operations of expressions that Resolve replaces by literals. Their one
// argument is a string literal: the name.
const (
	ParamOp = "param"
	LabelOp = "label"
)

// Operations of expressions whose first argument names one of Plan.Zones.
const (
	ToZoneOp   = "to_zone"   // (zone, instant) -> the zone's local clock
	FromZoneOp = "from_zone" // (zone, local clock) -> instant
	TruncOp    = "date_trunc"
)

// ErrParam says that the parameters or labels of an agent do not fit a plan.
var ErrParam = errors.New("a parameter does not fit the plan")

// Resolve gives the plan as an agent with these labels runs it: in the edge
// fragment every param and label is a literal, and in the strings of the
// source and of edge sinks every ${param.name} is its value. A label that the agent
// does not have is null. overrides are the texts of parameters that the
// agent's own configuration sets. p is not changed.
func Resolve(p *Plan, labels, overrides map[string]string) (*Plan, error) {
	r := resolver{labels: labels, params: make(map[string]*Param, len(p.Params)), zones: make(map[string]bool, len(p.Zones))}
	for _, z := range p.Zones {
		r.zones[z.GetName()] = true
	}
	for _, param := range p.Params {
		v, err := r.choose(param, overrides)
		if err != nil {
			return nil, fmt.Errorf("pipeline %q, parameter %q: %w", p.Pipeline, param.GetName(), err)
		}
		r.params[param.GetName()] = &Param{Type: param.GetType(), Value: v}
	}
	for name := range overrides {
		if r.params[name] == nil {
			return nil, fmt.Errorf("pipeline %q: %w: it has no parameter %q", p.Pipeline, ErrParam, name)
		}
	}
	out := pb.Clone(p)
	out.Params = nil
	if err := r.plan(out); err != nil {
		return nil, fmt.Errorf("pipeline %q: %w", p.Pipeline, err)
	}
	return out, nil
}

type resolver struct {
	labels map[string]string
	params map[string]*Param // Value is the agent's
	zones  map[string]bool
}

// choose is the value that counts on the agent.
func (r *resolver) choose(param *Param, overrides map[string]string) (*Value, error) {
	if text, ok := overrides[param.GetName()]; ok {
		v, err := ParseValue(text, batch.Type(param.GetType()))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrParam, err)
		}
		return v, nil
	}
	for _, set := range param.GetSets() {
		selected, err := Matches(set.GetAgents(), r.labels)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrParam, err)
		}
		if selected {
			return valueOf(set.Value), nil
		}
	}
	return valueOf(param.GetValue()), nil
}

func valueOf(v *Value) *Value {
	if v == nil {
		return &Value{}
	}
	return v
}

// ParseValue reads the text of a parameter's value.
func ParseValue(text string, t batch.Type) (*Value, error) {
	v := &Value{}
	var err error
	switch t {
	case batch.Bool:
		k := &Value_Bool{}
		k.Bool, err = strconv.ParseBool(text)
		v.Kind = k
	case batch.Int:
		k := &Value_Int{}
		k.Int, err = strconv.ParseInt(text, 10, 64)
		v.Kind = k
	case batch.Double:
		k := &Value_Double{}
		k.Double, err = strconv.ParseFloat(text, 64)
		v.Kind = k
	case batch.String:
		v.Kind = &Value_String_{String_: text}
	case batch.Timestamp:
		var at time.Time
		at, err = time.Parse(time.RFC3339Nano, text)
		v.Kind = &Value_Int{Int: at.UnixMicro()}
	default:
		return nil, fmt.Errorf("a value of type %s cannot be given as text", t)
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not a value of type %s", text, t)
	}
	return v, nil
}

// text is the value as it stands in a string.
func (r *resolver) text(name string) (string, error) {
	p := r.params[name]
	if p == nil {
		return "", fmt.Errorf("%w: there is no parameter %q", ErrParam, name)
	}
	text, ok := ValueText(p.Value, batch.Type(p.Type))
	if !ok {
		return "", fmt.Errorf("%w: parameter %q is null or bytes and stands in a string", ErrParam, name)
	}
	return text, nil
}

// ValueText is a value as it stands in a string; ok is false for null and bytes.
func ValueText(v *Value, t batch.Type) (text string, ok bool) {
	switch k := v.GetKind().(type) {
	case *Value_Bool:
		return strconv.FormatBool(k.Bool), true
	case *Value_Int:
		if t == batch.Timestamp {
			return time.UnixMicro(k.Int).UTC().Format(time.RFC3339Nano), true
		}
		return strconv.FormatInt(k.Int, 10), true
	case *Value_Double:
		return strconv.FormatFloat(k.Double, 'g', -1, 64), true
	case *Value_String_:
		return k.String_, true
	}
	return "", false
}

const paramMark = "${param."

// fill puts values into a string.
func (r *resolver) fill(s *string) error {
	var b strings.Builder
	rest := *s
	for {
		before, after, found := strings.Cut(rest, paramMark)
		b.WriteString(before)
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return fmt.Errorf("%w: %q is not closed", ErrParam, *s)
		}
		text, err := r.text(name)
		if err != nil {
			return err
		}
		b.WriteString(text)
		rest = tail
	}
	*s = b.String()
	return nil
}

func (r *resolver) fillAll(strs ...*string) error {
	for _, s := range strs {
		if err := r.fill(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolver) fillList(list []string) error {
	for i := range list {
		if err := r.fill(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolver) plan(p *Plan) error {
	switch k := p.GetSource().GetKind().(type) {
	case *Source_Mqtt:
		if err := r.mqtt(k.Mqtt); err != nil {
			return fmt.Errorf("source: %w", err)
		}
	case *Source_File:
		if err := r.fillList(k.File.GetPaths()); err != nil {
			return fmt.Errorf("source: %w", err)
		}
	}
	for i, n := range p.GetEdge().GetNodes() {
		if err := r.node(n); err != nil {
			return fmt.Errorf("edge, node %d: %w", i, err)
		}
	}
	return nil
}

func (r *resolver) mqtt(m *MqttSource) error {
	if m == nil {
		return nil
	}
	if err := r.fillList(m.Topics); err != nil {
		return err
	}
	return r.fillAll(&m.Broker, &m.Username, &m.Password, &m.ClientId, &m.CaFile, &m.CertFile, &m.KeyFile)
}

func (r *resolver) node(n *Node) error {
	if s := n.GetSink(); s != nil {
		return r.sink(s)
	}
	for _, e := range Exprs(n) {
		if err := Substitute(e, r.value); err != nil {
			return err
		}
		if err := r.checkZones(e); err != nil {
			return err
		}
	}
	return nil
}

// checkZones makes sure that a parameter did not ask for a zone whose rules
// are not in the plan.
func (r *resolver) checkZones(e *Expr) error {
	c := e.GetCall()
	if z := ZoneOf(c); z != nil && !r.zones[z.GetLiteral().GetString_()] {
		return fmt.Errorf("%w: the plan does not hold the rules of the time zone %q, expected one of the values that the pipeline file names", ErrParam, z.GetLiteral().GetString_())
	}
	for _, a := range c.GetArgs() {
		if err := r.checkZones(a); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolver) sink(s *Sink) error {
	switch k := s.GetKind().(type) {
	case *Sink_File:
		return r.fill(&k.File.Path)
	case *Sink_Mqtt:
		if err := r.mqtt(k.Mqtt.Connection); err != nil {
			return err
		}
		return r.fill(&k.Mqtt.Topic)
	}
	return nil
}

// value is what stands for param(name) or label(name).
func (r *resolver) value(op, name string, t batch.Type) (*Value, error) {
	if op == LabelOp {
		text, has := r.labels[name]
		if !has {
			return &Value{}, nil
		}
		return &Value{Kind: &Value_String_{String_: text}}, nil
	}
	p := r.params[name]
	if p == nil || batch.Type(p.Type) != t {
		return nil, fmt.Errorf("%w: there is no parameter %q of type %s", ErrParam, name, t)
	}
	return p.Value, nil
}
