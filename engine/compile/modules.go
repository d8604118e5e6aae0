package compile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/leatio/leat/engine/plan"
)

var moduleRef = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}@[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// udfPrefix marks the calls of UDFs in plans.
const udfPrefix = "udf:"

// resolveModules finds the modules of udfs and their functions.
func (c *compiler) resolveModules(v *value) {
	c.owners = map[string]int{}
	if v == nil {
		return
	}
	const most = 64
	if len(v.list) > most {
		c.at(v.node, fmt.Sprintf("there are %d modules", len(v.list)), fmt.Sprintf("at most %d", most))
		return
	}
	for _, ref := range v.list {
		if !strings.HasSuffix(ref.text, ".wasm") && !moduleRef.MatchString(ref.text) {
			c.at(ref.node, fmt.Sprintf("%q names no module", shorten(ref.text)), "name@version (as in dewpoint@1.2.0) or the path of a .wasm file")
			c.brokenModules = true
			continue
		}
		c.resolveModule(ref)
	}
}

func (c *compiler) resolveModule(ref *value) {
	if c.o.Modules == nil {
		c.at(ref.node, fmt.Sprintf("there is nothing here to find the module %q in", ref.text), "")
		c.brokenModules = true
		return
	}
	m, err := c.o.Modules.Resolve(ref.text)
	if err != nil {
		c.at(ref.node, fmt.Sprintf("module %q: %v", ref.text, err), "")
		c.brokenModules = true
		return
	}
	sha := slices.Clone(m.SHA256[:])
	for _, other := range c.modules {
		if other.Name == m.Name {
			c.at(ref.node, fmt.Sprintf("a module named %q is here already", m.Name), "each module once")
			return
		}
	}
	at := len(c.modules)
	c.modules = append(c.modules, &plan.Module{Name: m.Name, Version: m.Version, Sha256: sha, SizeBytes: m.Size})
	names := make([]string, 0, len(m.Functions))
	for name := range m.Functions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if owner, taken := c.owners[name]; taken {
			c.at(ref.node, fmt.Sprintf("the function %q of the module %q is also in the module %q", name, m.Name, c.modules[owner].Name), "functions with different names")
			continue
		}
		c.owners[name] = at
		c.functions[name] = m.Functions[name]
	}
}

// keepUsedModules puts into the plan only the modules that it calls: agents
// need not fetch the others.
func (c *compiler) keepUsedModules(p *plan.Plan) {
	used := make([]bool, len(c.modules))
	walkExprs(p, func(e *plan.Expr) {
		if name, ok := strings.CutPrefix(e.GetCall().GetOp(), udfPrefix); ok {
			if at, known := c.owners[name]; known {
				used[at] = true
			}
		}
	})
	for i, m := range c.modules {
		if used[i] {
			p.Modules = append(p.Modules, m)
		}
	}
}

// walkExprs calls f for every expression of the plan, calls before their arguments.
func walkExprs(p *plan.Plan, f func(*plan.Expr)) {
	for _, frag := range []*plan.Fragment{p.Edge, p.Cloud} {
		for _, n := range frag.GetNodes() {
			walkExpr(n.GetWhere().GetCondition(), f)
			for _, e := range n.GetProject().GetColumns() {
				walkExpr(e, f)
			}
		}
	}
}

func walkExpr(e *plan.Expr, f func(*plan.Expr)) {
	if e == nil {
		return
	}
	f(e)
	for _, a := range e.GetCall().GetArgs() {
		walkExpr(a, f)
	}
}
