package expr

import (
	"encoding/binary"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
)

// Common sub-expressions are found by numbering: equal expressions get equal
// numbers. One that stands twice is computed once a batch, where it is safe: each
// operand is compiled in a scope, which stands for the list of rows that it is asked for.
// A scope within another is asked for some of the other's rows:
//
//	a AND b OR c            scope 0: a      1 in 0: b      2 in 0: c
//	CASE WHEN p THEN v      scope 0: p      1 in 0: v
//	     WHEN q THEN w END  2 in 0: q       3 in 2: w
//
// So what was computed for a scope serves the scopes within it, and no others: the
// branches of a CASE share nothing but what stands before them. Nodes evaluate their operands
// in the order in which they are compiled, so the first that is computed is the one with
// the most rows.

// numbering gives numbers to expressions.
type numbering struct {
	ids   map[string]int
	of    map[*plan.Expr]int
	count []int // by number: how often it stands there
	key   []byte
}

// number gives e and all in it their numbers. It refuses what is too deep,
// too large or of no type, so that what follows need not.
func (c *compiler) number(e *plan.Expr, depth int) (int, error) {
	switch {
	case e == nil:
		return 0, invalid("an operand is missing")
	case e.Type > uint32(batch.Timestamp) || !batch.Type(e.Type).Valid():
		return 0, invalid("unknown type %d", e.Type)
	case depth > MaxDepth:
		return 0, invalid("nested deeper than %d", MaxDepth)
	}
	if c.nodes++; c.nodes > MaxNodes {
		return 0, invalid("more than %d operations", MaxNodes)
	}
	var args []int
	if k := e.GetCall(); k != nil {
		if len(k.Args) > MaxNodes {
			return 0, invalid("more than %d operations", MaxNodes)
		}
		for _, a := range k.Args {
			id, err := c.number(a, depth+1)
			if err != nil {
				return 0, err
			}
			args = append(args, id)
		}
	}
	n := &c.numbers
	key := append(n.key[:0], byte(e.Type))
	if k := e.GetCall(); k != nil {
		key = append(append(append(key, 'f'), k.Op...), 0)
		for _, id := range args {
			key = binary.AppendUvarint(key, uint64(id))
		}
	} else {
		var err error
		if key, err = pb.Append(append(key, 'x'), e); err != nil {
			return 0, invalid("%v", err)
		}
	}
	n.key = key
	id, ok := n.ids[string(key)]
	if !ok {
		id = len(n.count)
		n.ids[string(key)] = id
		n.count = append(n.count, 0)
	}
	n.of[e] = id
	n.count[id]++
	return id, nil
}

// inside compiles with a scope of its own within the present one. Scopes that
// f opens stand within it.
func (c *compiler) inside(f func() error) error {
	outer := c.scope
	c.parents = append(c.parents, outer)
	c.scope = len(c.parents) - 1
	err := f()
	c.scope = outer
	return err
}

// within tells whether a scope is another or stands within it.
func (c *compiler) within(scope, outer int) bool {
	for scope > outer {
		scope = c.parents[scope]
	}
	return scope == outer
}

// reuse gives the node of an equal expression that was compiled before, if
// the present scope can have it.
func (c *compiler) reuse(id int) node {
	if s := c.shared[id]; s != nil && c.within(c.scope, s.scope) {
		return s
	}
	return nil
}

// offer lets later expressions reuse a node.
func (c *compiler) offer(id int, n node) node {
	switch n.(type) {
	case *column, *literal, *shared:
		return n
	}
	if c.numbers.count[id] < 2 {
		return n
	}
	s := &shared{node: n, scope: c.scope}
	c.shared[id] = s
	return s
}

// shared is a node that is computed once a batch for the rows of its scope.
type shared struct {
	node  node
	scope int
	col   *batch.Column
	batch uint64 // of run.batch, for which col was computed
}

func (s *shared) eval(r *run, rows []uint32) *batch.Column {
	if s.batch != r.batch {
		s.col = s.node.eval(r, rows)
		s.batch = r.batch
	}
	return s.col
}
