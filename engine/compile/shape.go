package compile

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// shape describes what may stand at one place of the file. The shapes of
// keys.go make the table of keys.
type shape struct {
	kind kind
	doc  string // one or two sentences, for the schema and the reference page

	// scalars
	pattern *regexp.Regexp // strings: what they must match
	hint    string         // strings: the pattern in words
	words   []string       // word: the allowed ones; duration: words allowed besides
	min     float64        // int, number
	max     float64
	secret  bool // strings: ${secret.x} may stand in it
	onAgent bool // strings: the agent puts ${param.x} in; elsewhere the compiler does
	fixed   bool // strings: nothing is put in

	// lists and maps
	elem *shape

	// objects
	fields   []field
	later    []string // keys that the design names and a later version builds
	choice   []string // exactly one of these keys must be there
	choiceIs string   // what they tell, in words; empty = what this is

	// any: by the kind of the YAML node
	scalar, list, mapping *shape
}

type kind int

const (
	kindString   kind = iota // text
	kindExpr                 // a SQL expression
	kindBool                 // true or false
	kindInt                  // a whole number between min and max
	kindNumber               // a number between min and max
	kindDuration             // 10s, 1h30m
	kindWord                 // one of words
	kindSize                 // a number of bytes: 64KiB
	kindLiteral              // any scalar, null too
	kindList                 // a list of elem
	kindMap                  // names, in the order of the file, with an elem each
	kindObject               // the keys of fields
	kindAny                  // scalar, list or mapping, whichever is not nil
)

// field is one key of an object.
type field struct {
	name     string
	required bool
	def      string // the default in words of the file; empty = none
	shape    *shape
}

// value is a node that has passed its shape.
type value struct {
	node    *yaml.Node
	kind    kind
	text    string  // string, expr, word, literal
	flag    bool    // bool
	number  float64 // int, number
	micros  int64   // duration
	bytes   uint64  // size
	list    []*value
	entries []entry // map, object: in the order of the file
}

type entry struct {
	key   *yaml.Node
	value *value // nil when it had a mistake
}

// get is the value of a key of an object; nil when it is absent or wrong.
func (v *value) get(name string) *value {
	if v == nil {
		return nil
	}
	for _, e := range v.entries {
		if e.key.Value == name {
			return e.value
		}
	}
	return nil
}

// has tells whether a key is there, be its value right or wrong.
func (v *value) has(name string) bool {
	return v != nil && slices.ContainsFunc(v.entries, func(e entry) bool { return e.key.Value == name })
}

// key is the node of an object's key, or the object itself.
func (v *value) key(name string) *yaml.Node {
	for _, e := range v.entries {
		if e.key.Value == name {
			return e.key
		}
	}
	return v.node
}

func (v *value) textOr(def string) string {
	if v == nil {
		return def
	}
	return v.text
}

func (v *value) microsOr(def int64) int64 {
	if v == nil {
		return def
	}
	return v.micros
}

func (v *value) numberOr(def float64) float64 {
	if v == nil {
		return def
	}
	return v.number
}

// read checks a node against its shape. It gives nil after telling what is
// wrong. No shape holds itself, so it goes no deeper than the table of keys.
func (c *compiler) read(n *yaml.Node, s *shape) *value {
	if n = c.resolve(n); n == nil {
		return nil
	}
	if s.kind == kindAny {
		alt := map[yaml.Kind]*shape{yaml.ScalarNode: s.scalar, yaml.SequenceNode: s.list, yaml.MappingNode: s.mapping}[n.Kind]
		if alt == nil || isNull(n) {
			c.at(n, "this is "+describe(n), s.expects())
			return nil
		}
		return c.read(n, alt)
	}
	switch s.kind {
	case kindList:
		return c.readList(n, s)
	case kindMap, kindObject:
		return c.readMapping(n, s)
	}
	if n.Kind != yaml.ScalarNode || isNull(n) && s.kind != kindLiteral {
		c.at(n, "this is "+describe(n), s.expects())
		return nil
	}
	return c.readScalar(n, s)
}

func (c *compiler) readScalar(n *yaml.Node, s *shape) *value {
	v := &value{node: n, kind: s.kind, text: n.Value}
	if s.kind == kindString && n.ShortTag() == "!!str" && strings.Contains(n.Value, "${param.") && !s.fixed {
		return c.readWithParams(v, s)
	}
	if what, expected := s.scalarInto(v); what != "" {
		c.at(n, what, expected)
		return nil
	}
	if strings.Contains(n.Value, "${") && s.kind != kindLiteral && !c.substitution(n, s) {
		return nil
	}
	return v
}

// resolve follows aliases and counts what is visited.
func (c *compiler) resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias // never an alias itself
	}
	c.visited++
	c.textBytes += len(n.Value)
	if c.visited > maxNodes || c.textBytes > maxTextBytes {
		if !c.overfull {
			c.overfull = true
			c.tell(1, 1, "the file holds too much (aliases count as often as they are used)", fmt.Sprintf("at most %d values with %d bytes of text", maxNodes, maxTextBytes))
		}
		return nil
	}
	return n
}

func (c *compiler) readList(n *yaml.Node, s *shape) *value {
	if n.Kind != yaml.SequenceNode {
		c.at(n, "this is "+describe(n), s.expects())
		return nil
	}
	v := &value{node: n, kind: s.kind}
	for _, item := range n.Content {
		if c.overfull {
			break
		}
		if e := c.read(item, s.elem); e != nil {
			v.list = append(v.list, e)
		}
	}
	return v
}

func (c *compiler) readMapping(n *yaml.Node, s *shape) *value {
	v := &value{node: n, kind: s.kind}
	if isNull(n) && s.kind == kindObject && !s.needsKeys() {
		return v
	}
	if n.Kind != yaml.MappingNode {
		c.at(n, "this is "+describe(n), s.expects())
		return nil
	}
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := c.resolve(n.Content[i])
		if k == nil {
			return v
		}
		elem := s.elem
		if s.kind == kindObject {
			elem = c.keyOf(k, s)
		} else if k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str" {
			c.at(k, "this is "+describe(k), "a name (in quotes where YAML would take it for something else)")
			elem = nil
		}
		if elem == nil {
			continue
		}
		if seen[k.Value] {
			c.at(k, fmt.Sprintf("%q stands here a second time", k.Value), "only one")
			continue
		}
		seen[k.Value] = true
		v.entries = append(v.entries, entry{key: k, value: c.read(n.Content[i+1], elem)})
	}
	if s.kind == kindObject {
		c.missing(v, s)
	}
	return v
}

// keyOf is the shape of a key's value; nil after telling that the key is unknown.
func (c *compiler) keyOf(k *yaml.Node, s *shape) *shape {
	names := make([]string, len(s.fields))
	for i := range s.fields {
		names[i] = s.fields[i].name
		if k.Kind == yaml.ScalarNode && s.fields[i].name == k.Value {
			return s.fields[i].shape
		}
	}
	expected := oneOf(names)
	if len(names) == 0 {
		expected = "no keys"
	}
	switch {
	case k.Kind != yaml.ScalarNode:
		c.at(k, "this key is "+describe(k), expected)
	case slices.Contains(s.later, k.Value):
		c.at(k, fmt.Sprintf("%q is not built yet in this version", k.Value), expected)
	default:
		what := fmt.Sprintf("unknown key %q", shorten(k.Value))
		if near := nearest(k.Value, names); near != "" {
			what += fmt.Sprintf(" (did you mean %q?)", near)
		}
		c.at(k, what, expected)
	}
	return nil
}

// missing tells required keys that are not there and choices not made or made twice.
func (c *compiler) missing(v *value, s *shape) {
	for _, f := range s.fields {
		if f.required && !v.has(f.name) {
			c.at(v.node, fmt.Sprintf("the key %q is missing", f.name), f.shape.expects())
		}
	}
	if len(s.choice) == 0 {
		return
	}
	chosen := ""
	for _, e := range v.entries {
		switch {
		case !slices.Contains(s.choice, e.key.Value):
		case chosen == "":
			chosen = e.key.Value
		default:
			c.at(e.key, fmt.Sprintf("%q stands beside %q", e.key.Value, chosen), "only one of "+strings.Join(s.choice, ", "))
		}
	}
	// An entry whose only key was refused has been told already.
	if chosen == "" && !hasRefusedChoice(v.node, s) {
		what := "nothing says what this is"
		if s.choiceIs != "" {
			what = "nothing says " + s.choiceIs
		}
		c.at(v.node, what, "one of "+strings.Join(s.choice, ", "))
	}
}

// chosen is the entry of an object's choice; ok is false after a mistake.
func (v *value) chosen(choice []string) (e entry, ok bool) {
	if v == nil {
		return entry{}, false
	}
	for _, e := range v.entries {
		if slices.Contains(choice, e.key.Value) {
			return e, true
		}
	}
	return entry{}, false
}

// hasRefusedChoice tells whether some key of the mapping is not a known one:
// it was probably meant to be the choice.
func hasRefusedChoice(n *yaml.Node, s *shape) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		known := slices.ContainsFunc(s.fields, func(f field) bool { return f.name == n.Content[i].Value })
		if !known {
			return true
		}
	}
	return false
}

func (s *shape) needsKeys() bool {
	return len(s.choice) > 0 || slices.ContainsFunc(s.fields, func(f field) bool { return f.required })
}

// scalarInto reads a scalar's text. It says what is wrong and what was expected.
func (s *shape) scalarInto(v *value) (what, expected string) {
	n := v.node
	switch s.kind {
	case kindString:
		if n.ShortTag() != "!!str" {
			return "this is " + describe(n), s.expects()
		}
		if s.pattern != nil && !s.pattern.MatchString(n.Value) {
			return fmt.Sprintf("%q does not fit here", shorten(n.Value)), s.expects()
		}
	case kindExpr:
		if strings.TrimSpace(n.Value) == "" {
			return "the expression is empty", s.expects()
		}
	case kindBool:
		if n.ShortTag() != "!!bool" || n.Style != 0 {
			return "this is " + describe(n), s.expects()
		}
		v.flag = strings.EqualFold(n.Value, "true")
	case kindInt, kindNumber:
		return s.numberInto(v)
	case kindWord:
		if !slices.Contains(s.words, n.Value) {
			what = fmt.Sprintf("%q is not known here", shorten(n.Value))
			if slices.Contains(s.later, n.Value) {
				what = fmt.Sprintf("%q is not built yet in this version", n.Value)
			} else if near := nearest(n.Value, s.words); near != "" {
				what += fmt.Sprintf(" (did you mean %q?)", near)
			}
			return what, s.expects()
		}
	case kindSize:
		size, err := parseSize(n.Value)
		if err != "" {
			return fmt.Sprintf("%q %s", shorten(n.Value), err), s.expects()
		}
		v.bytes = size
	case kindDuration:
		if slices.Contains(s.words, n.Value) {
			return "", ""
		}
		micros, err := parseDuration(n.Value)
		if err != "" {
			return fmt.Sprintf("%q %s", shorten(n.Value), err), s.expects()
		}
		if float64(micros) < s.min {
			return fmt.Sprintf("%q is too short", n.Value), s.expects()
		}
		v.micros = micros
	}
	return "", ""
}

func (s *shape) numberInto(v *value) (what, expected string) {
	n := v.node
	tag := n.ShortTag()
	if tag != "!!int" && (s.kind == kindInt || tag != "!!float") {
		return "this is " + describe(n), s.expects()
	}
	var x float64
	if err := n.Decode(&x); err != nil || math.IsNaN(x) || x < s.min || x > s.max {
		return fmt.Sprintf("%s is out of range", shorten(n.Value)), s.expects()
	}
	v.number = x
	return "", ""
}

// expects says in words what the shape expects.
func (s *shape) expects() string {
	switch s.kind {
	case kindString:
		if s.hint != "" {
			return s.hint
		}
		return "text"
	case kindExpr:
		return "a SQL expression such as temp > 0"
	case kindBool:
		return "true or false"
	case kindInt:
		return fmt.Sprintf("a whole number between %s and %s", trimNumber(s.min), trimNumber(s.max))
	case kindNumber:
		return fmt.Sprintf("a number between %s and %s", trimNumber(s.min), trimNumber(s.max))
	case kindDuration:
		words := "a duration such as 500ms, 10s, 1m, 2h or 1d"
		if s.min > 0 {
			words += " of at least " + FormatDuration(int64(s.min))
		}
		return strings.Join(append([]string{words}, s.words...), " or ")
	case kindWord:
		return "one of " + strings.Join(s.words, ", ")
	case kindSize:
		return "a size such as 500KB, 64MiB or 1GiB"
	case kindLiteral:
		return "a number, text, true, false or null"
	case kindList:
		return "a list"
	case kindMap:
		return "a mapping of names"
	case kindObject:
		if len(s.fields) == 0 {
			return "{} (no keys)"
		}
		names := make([]string, len(s.fields))
		for i := range s.fields {
			names[i] = s.fields[i].name
		}
		return "a mapping with " + strings.Join(names, ", ")
	}
	var alts []string
	for _, alt := range []*shape{s.scalar, s.list, s.mapping} {
		if alt != nil {
			alts = append(alts, alt.expects())
		}
	}
	return strings.Join(alts, " or ")
}

func trimNumber(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// describe names the kind of a node for messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!null":
			return "empty"
		case "!!str":
			return fmt.Sprintf("the text %q", shorten(n.Value))
		case "!!int", "!!float":
			return "the number " + shorten(n.Value)
		case "!!bool":
			return "the truth value " + shorten(n.Value)
		}
		return fmt.Sprintf("%q of the type %s", shorten(n.Value), shorten(n.Tag))
	}
	return "something else"
}

// shorten keeps messages readable when values are long.
func shorten(s string) string {
	const most = 60
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "..."
}
