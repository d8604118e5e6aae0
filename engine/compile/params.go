package compile

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// paramTypes are the types that parameters may have.
var paramTypes = []string{"bool", "int", "double", "string", "timestamp"}

// param is a parameter of the file.
type param struct {
	plan *plan.Param
	node *yaml.Node
}

// readParams reads the parameters before the rest of the file, which may name
// them. The walk over the whole file tells their mistakes of shape again, so those of here are forgotten.
func (c *compiler) readParams(root *yaml.Node) {
	c.params, c.brokenParams = map[string]*param{}, map[string]bool{}
	if root.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "params" {
			continue
		}
		told := len(c.mistakes)
		v := c.read(root.Content[i+1], mapOf(paramKeys(), ""))
		c.mistakes = c.mistakes[:told]
		c.declare(v)
		return
	}
}

// maxParams bounds the parameters of a file, and the values of each.
const maxParams = 100

func (c *compiler) declare(v *value) {
	if v == nil {
		return
	}
	if len(v.entries) > maxParams {
		c.at(v.node, fmt.Sprintf("there are %d parameters", len(v.entries)), fmt.Sprintf("at most %d", maxParams))
		return
	}
	for _, e := range v.entries {
		name := e.key.Value
		if !tablePattern.MatchString(name) {
			c.at(e.key, fmt.Sprintf("%q names no parameter", shorten(name)), "up to 63 of a-z, 0-9 and '_', beginning with a letter")
			continue
		}
		p := c.param(name, e.value)
		if p == nil {
			c.brokenParams[name] = true
			continue
		}
		c.params[name] = &param{plan: p, node: e.key}
		c.paramOrder = append(c.paramOrder, name)
	}
	for name, text := range c.o.Params {
		c.override(v.node, name, text)
	}
}

func (c *compiler) paramNames() []string { return c.paramOrder }

func (c *compiler) param(name string, v *value) *plan.Param {
	kind, def := v.get("type"), v.get("default")
	if kind == nil || def == nil {
		return nil
	}
	t, _ := batch.ParseType(kind.text)
	p := &plan.Param{Name: name, Type: uint32(t), Value: c.paramValue(def, t)}
	good := p.Value != nil
	if set := v.get("set"); set != nil {
		if len(set.list) > maxParams {
			c.at(set.node, fmt.Sprintf("the parameter has %d values", len(set.list)), fmt.Sprintf("at most %d", maxParams))
			return nil
		}
		for _, s := range set.list {
			agents, value := s.get("agents"), s.get("value")
			if agents == nil || value == nil {
				good = false
				continue
			}
			one := &plan.ParamSet{Agents: c.agents(agents), Value: c.paramValue(value, t)}
			good = good && one.Value != nil
			p.Sets = append(p.Sets, one)
		}
	}
	if !good {
		return nil
	}
	return p
}

// paramValue reads a scalar of the file as a value of a type; nil after a mistake.
func (c *compiler) paramValue(v *value, t batch.Type) *plan.Value {
	out := scalarValue(v.node, t)
	if out == nil {
		c.at(v.node, "this is "+describe(v.node), "a value of the type "+typeWord(t))
	}
	return out
}

func typeWord(t batch.Type) string {
	if t == batch.Timestamp {
		return "timestamp, as in \"2026-01-31T12:00:00Z\""
	}
	return t.String()
}

func scalarValue(n *yaml.Node, t batch.Type) *plan.Value {
	tag := n.ShortTag()
	switch {
	case t == batch.String && tag != "!!str", t == batch.Bool && tag != "!!bool",
		t == batch.Int && tag != "!!int", t == batch.Double && tag != "!!int" && tag != "!!float",
		t == batch.Timestamp && tag != "!!str" && tag != "!!timestamp":
		return nil
	}
	return textValue(n.Value, t)
}

// textValue reads a text as a value of a type; nil where it is none.
func textValue(text string, t batch.Type) *plan.Value {
	if t == batch.Bool {
		text = strings.ToLower(text)
	}
	v, err := plan.ParseValue(text, t)
	if err != nil || math.IsNaN(v.GetDouble()) || math.IsInf(v.GetDouble(), 0) {
		return nil
	}
	return v
}

// override replaces a parameter's values by one that was given beside the file.
func (c *compiler) override(n *yaml.Node, name, text string) {
	p := c.params[name]
	if p == nil {
		if !c.brokenParams[name] {
			c.at(n, fmt.Sprintf("there is no parameter %q to give a value", name), oneOf(c.paramNames()))
		}
		return
	}
	v := textValue(text, batch.Type(p.plan.Type))
	if v == nil {
		c.at(p.node, fmt.Sprintf("%q was given as its value", shorten(text)), "a value of the type "+typeWord(batch.Type(p.plan.Type)))
		return
	}
	p.plan.Value, p.plan.Sets = v, nil
}

// planParams gives the parameters for the plan: what the agents replace.
func (c *compiler) planParams(p *plan.Plan) {
	for _, name := range c.paramOrder {
		p.Params = append(p.Params, c.params[name].plan)
	}
}

// fixParams replaces param() by its value in an expression that runs in the
// cloud, which is the same for all agents.
func (c *compiler) fixParams(e *plan.Expr) error {
	return plan.Substitute(e, func(op, name string, _ batch.Type) (*plan.Value, error) {
		if op == plan.LabelOp {
			return nil, errCloudLabel
		}
		p := c.params[name]
		if len(p.plan.Sets) > 0 {
			return nil, fmt.Errorf("the parameter %q has other values for some agents, and this runs in the cloud", name)
		}
		return p.plan.Value, nil
	})
}

var errCloudLabel = errors.New("label() differs between agents, and this runs in the cloud")

// paramText writes a parameter's value as ${param.x} puts it in.
func paramText(p *plan.Param, v *plan.Value) string {
	text, _ := plan.ValueText(v, batch.Type(p.Type))
	return text
}
