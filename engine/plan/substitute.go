package plan

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

// Exprs are the expressions of a node.
func Exprs(n *Node) []*Expr {
	switch op := n.GetOp().(type) {
	case *Node_Where:
		return []*Expr{op.Where.GetCondition()}
	case *Node_Project:
		return op.Project.GetColumns()
	case *Node_Alert:
		if op.Alert.GetClear() == nil {
			return []*Expr{op.Alert.GetWhen()}
		}
		return []*Expr{op.Alert.GetWhen(), op.Alert.GetClear()}
	}
	return nil
}

// Substitute replaces in place every call of ParamOp and LabelOp within e by
// the value that f gives for its operation, name and type.
func Substitute(e *Expr, f func(op, name string, t batch.Type) (*Value, error)) error {
	c := e.GetCall()
	if c == nil {
		return nil
	}
	if c.Op != ParamOp && c.Op != LabelOp {
		for _, a := range c.Args {
			if err := Substitute(a, f); err != nil {
				return err
			}
		}
		return nil
	}
	if len(c.Args) != 1 || c.Args[0].GetLiteral().GetString_() == "" {
		return fmt.Errorf("%w: %s without a name", ErrPlan, c.Op)
	}
	v, err := f(c.Op, c.Args[0].GetLiteral().GetString_(), batch.Type(e.Type))
	if err != nil {
		return err
	}
	if err := literal(v, batch.Type(e.Type)); err != nil {
		return fmt.Errorf("%w: %s(%q): %w", ErrPlan, c.Op, c.Args[0].GetLiteral().GetString_(), err)
	}
	e.Kind = &Expr_Literal{Literal: v}
	return nil
}

// ZoneOf is the argument of a call that names a time zone, or nil.
func ZoneOf(c *Call) *Expr {
	switch {
	case (c.GetOp() == ToZoneOp || c.GetOp() == FromZoneOp) && len(c.Args) == 2:
		return c.Args[0]
	case c.GetOp() == TruncOp && len(c.Args) == 3:
		return c.Args[2]
	}
	return nil
}
