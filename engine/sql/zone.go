package sql

import (
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// atTimeZone gives the clock of a zone at an instant, or the instant at which
// a zone's clock shows a time.
func (b *binder) atTimeZone(n *Node, vs []value) value {
	v, zone := b.want(vs[0], batch.Timestamp, "AT TIME ZONE"), b.want(vs[1], batch.String, "AT TIME ZONE")
	b.zone(zone)
	op := plan.ToZoneOp
	if v.local {
		op = plan.FromZoneOp
	}
	out := b.call(n, op, batch.Timestamp, zone, v)
	out.local = !v.local
	return out
}

// zone checks the name of a time zone, which has to be known when the plan is
// made: the rules of zones travel with it.
func (b *binder) zone(v value) {
	if v.bad {
		return
	}
	if b.scope.Zones == nil {
		b.fail(v.n.Pos, "time zones are not known here")
		return
	}
	if name, ok := v.literalText(); ok {
		if err := b.scope.Zones.Zone(name); err != nil {
			b.fail(v.n.Pos, "%v", err)
		}
		return
	}
	if c := v.e.GetCall(); c.GetOp() == plan.ParamOp {
		if err := b.scope.Zones.ZoneParam(c.Args[0].GetLiteral().GetString_()); err != nil {
			b.fail(v.n.Pos, "%v", err)
		}
		return
	}
	b.fail(v.n.Pos, "a time zone is a string literal or param('name'), expected one such as 'Europe/Paris'")
}

// allLocal tells whether the typed values among several are clocks of a zone.
func allLocal(vs []value) bool {
	local := false
	for _, v := range vs {
		if l := v.e.GetLiteral(); v.bad || l != nil && l.Kind == nil || v.n != nil && v.n.Kind == String {
			continue
		}
		if !v.local {
			return false
		}
		local = true
	}
	return local
}
