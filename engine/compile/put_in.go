package compile

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	dollarBrace = regexp.MustCompile(`\$\{[^}]{0,80}\}?`)
	secretName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}\}$`)
	paramRef    = regexp.MustCompile(`\$\{param\.([a-z][a-z0-9_]{0,62})\}`)
)

// substitution checks the ${...} in a text without parameters; false after telling a mistake.
func (c *compiler) substitution(n *yaml.Node, s *shape) bool {
	good := true
	for _, m := range dollarBrace.FindAllStringIndex(n.Value, -1) {
		what := n.Value[m[0]:m[1]]
		name, isSecret := strings.CutPrefix(what, "${secret.")
		_, isParam := strings.CutPrefix(what, "${param.")
		switch {
		case isParam && s.kind == kindExpr:
			c.inside(n, m[0], fmt.Sprintf("%q stands in an expression", what), "param('name')")
		case isParam && paramRef.MatchString(what) && !s.fixed:
			continue // readWithParams has seen to it
		case isParam && s.fixed:
			c.inside(n, m[0], fmt.Sprintf("%q stands where parameters are not put in", what), "the value itself")
		case isParam:
			c.inside(n, m[0], fmt.Sprintf("%q does not name a parameter", what), "${param.name} with a name that stands in params")
		case isSecret && s.secret && secretName.MatchString(name):
			continue
		case isSecret && s.secret:
			c.inside(n, m[0], fmt.Sprintf("%q does not name a secret", what), "${secret.name} with letters, digits, '_' and '-'")
		case isSecret:
			c.inside(n, m[0], fmt.Sprintf("%q stands where secrets are not put in", what), "secrets only in username and password")
		case s.kind == kindExpr:
			continue // a regular expression, perhaps; SQL will tell
		default:
			c.inside(n, m[0], fmt.Sprintf("%q means nothing", shorten(what)), "plain text")
		}
		good = false
	}
	return good
}

// readWithParams reads a text that holds ${param.x}: whatever values the
// parameters take, the text must fit its shape. The agent puts the values in
// where the shape says so; else it is done here.
func (c *compiler) readWithParams(v *value, s *shape) *value {
	n := v.node
	good := c.substitution(n, s)
	for _, m := range paramRef.FindAllStringSubmatchIndex(n.Value, -1) {
		name := n.Value[m[2]:m[3]]
		p := c.params[name]
		switch {
		case p == nil && c.brokenParams[name]:
			good = false
		case p == nil:
			what := fmt.Sprintf("there is no parameter %q", name)
			if near := nearest(name, c.paramNames()); near != "" {
				what += fmt.Sprintf(" (did you mean %q?)", near)
			}
			c.inside(n, m[0], what, "one that stands in params")
			good = false
		case !s.onAgent && len(p.plan.Sets) > 0:
			c.inside(n, m[0], fmt.Sprintf("the parameter %q has other values for some agents, and this is the same for all", name), "a parameter without \"set\"")
			good = false
		}
	}
	if !good {
		return nil
	}
	for _, variant := range c.variants(n.Value) {
		if s.pattern != nil && !s.pattern.MatchString(variant) {
			c.at(n, fmt.Sprintf("%q, which parameters make of %q, does not fit here", shorten(variant), shorten(n.Value)), s.expects())
			return nil
		}
	}
	if !s.onAgent {
		v.text = c.withDefaults(n.Value)
	}
	return v
}

// withDefaults puts the parameters' defaults into a text.
func (c *compiler) withDefaults(text string) string {
	return paramRef.ReplaceAllStringFunc(text, func(ref string) string {
		p := c.params[paramRef.FindStringSubmatch(ref)[1]]
		if p == nil {
			return ref
		}
		return paramText(p.plan, p.plan.Value)
	})
}

// variants are what a text may become: with the defaults, and with each other
// value of one parameter.
func (c *compiler) variants(text string) []string {
	out := []string{c.withDefaults(text)}
	for _, m := range paramRef.FindAllStringSubmatch(text, -1) {
		p := c.params[m[1]].plan
		for _, set := range p.Sets {
			out = append(out, c.withDefaults(strings.ReplaceAll(text, m[0], paramText(p, set.Value))))
		}
	}
	return out
}

// same puts the defaults into a text that is kept for the agent but turns out
// to be needed here; empty after a mistake.
func (c *compiler) same(v *value) string {
	if v == nil {
		return ""
	}
	for _, m := range paramRef.FindAllStringSubmatchIndex(v.text, -1) {
		if p := c.params[v.text[m[2]:m[3]]]; p != nil && len(p.plan.Sets) > 0 {
			c.inside(v.node, m[0], fmt.Sprintf("the parameter %q has other values for some agents, and this is the same for all", p.plan.Name), "a parameter without \"set\"")
			return ""
		}
	}
	return c.withDefaults(v.text)
}
