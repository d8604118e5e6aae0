package compile

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"
	_ "time/tzdata" // so that the compiler knows the time zones wherever it runs

	"github.com/leatio/leat/engine/plan"
)

// zone reads a time_zone; empty means UTC.
func (c *compiler) zone(v *value) string {
	if v == nil {
		return ""
	}
	name := c.same(v)
	if name == "" {
		return ""
	}
	if err := c.Zone(name); err != nil {
		c.at(v.node, err.Error(), "a name of IANA's database such as Europe/Berlin")
		return ""
	}
	if name == "UTC" || name == "Etc/UTC" {
		return ""
	}
	return name
}

// Zone takes note of a time zone that an expression or a window names.
func (c *compiler) Zone(name string) error {
	if name == "" || name == "Local" {
		return fmt.Errorf("there is no time zone %q", name)
	}
	if _, err := time.LoadLocation(name); err != nil {
		return fmt.Errorf("there is no time zone %q", shorten(name))
	}
	if c.zones == nil {
		c.zones = map[string]bool{}
	}
	c.zones[name] = true
	return nil
}

// ZoneParam takes note of all zones that a parameter may name.
func (c *compiler) ZoneParam(name string) error {
	p := c.params[name]
	if p == nil {
		return errors.New("the parameter is not known")
	}
	values := []*plan.Value{p.plan.Value}
	for _, s := range p.plan.Sets {
		values = append(values, s.Value)
	}
	for _, v := range values {
		if err := c.Zone(v.GetString_()); err != nil {
			return fmt.Errorf("a value of the parameter %q: %w", name, err)
		}
	}
	return nil
}

// planZones puts the rules of the zones into the plan that it names, and of
// those that a parameter may name.
func (c *compiler) planZones(p *plan.Plan) {
	names := map[string]bool{}
	for _, f := range []*plan.Fragment{p.Edge, p.Cloud} {
		for _, n := range f.Nodes {
			for _, w := range []*plan.Window{n.GetPartialWindow(), n.GetFinalWindow(), n.GetChainWindow()} {
				if w.GetTimeZone() != "" {
					names[w.TimeZone] = true
				}
			}
			for _, e := range plan.Exprs(n) {
				c.zonesOf(e, names)
			}
		}
	}
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		p.Zones = append(p.Zones, zoneRules(name))
	}
}

func (c *compiler) zonesOf(e *plan.Expr, names map[string]bool) {
	call := e.GetCall()
	if z := plan.ZoneOf(call); z != nil {
		if lit := z.GetLiteral(); lit != nil {
			names[lit.GetString_()] = true
		} else if z.GetCall().GetOp() == plan.ParamOp {
			p := c.params[z.GetCall().Args[0].GetLiteral().GetString_()].plan
			names[p.Value.GetString_()] = true
			for _, s := range p.Sets {
				names[s.Value.GetString_()] = true
			}
		}
	}
	for _, a := range call.GetArgs() {
		c.zonesOf(a, names)
	}
}

// zoneRules are the rules of a zone from 1900 to 2100.
func zoneRules(name string) *plan.Zone {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	offsetAt := func(unix int64) int64 {
		_, offset := time.Unix(unix, 0).In(loc).Zone()
		return int64(offset)
	}
	const day = 86_400
	at := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	end := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	z := &plan.Zone{Name: name, Offset: offsetAt(at)}
	for offset := z.Offset; at < end; {
		_, bound := time.Unix(at, 0).In(loc).ZoneBounds()
		if bound.IsZero() {
			break
		}
		// Beyond the table of a zone, package time gives bounds at the ends of
		// years too, and at those of leap years one that is not after the time asked for.
		next := bound.Unix()
		if next <= at {
			next = at + day
		}
		if to := offsetAt(next); to != offset && next < end {
			first := at + int64(sort.Search(int(next-at), func(i int) bool { return offsetAt(at+int64(i)) != offset }))
			z.Changes = append(z.Changes, &plan.ZoneChange{At: first, Offset: to})
			offset = to
		}
		at = next
	}
	return z
}

// zoned tells whether windows of a size follow the local clock.
func zoned(sizeMicros int64) bool { return sizeMicros >= int64(time.Hour/time.Microsecond) }
