package engine

import (
	"fmt"

	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

// zones makes the time zones of a plan from the rules that stand in it.
func zones(p *plan.Plan) (map[string]*zone.Zone, error) {
	out := make(map[string]*zone.Zone, len(p.Zones))
	for _, rules := range p.Zones {
		changes := make([]zone.Change, len(rules.GetChanges()))
		for i, c := range rules.GetChanges() {
			changes[i] = zone.Change{At: c.GetAt(), Offset: c.GetOffset()}
		}
		z, err := zone.New(rules.GetOffset(), changes)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", rules.GetName(), err)
		}
		out[rules.GetName()] = z
	}
	return out, nil
}

// environment is what the expressions of a plan refer to.
func environment(p *plan.Plan, functions expr.Functions) (expr.Env, error) {
	z, err := zones(p)
	if err != nil {
		return expr.Env{}, fmt.Errorf("pipeline %q: %w", p.Pipeline, err)
	}
	return expr.Env{Functions: functions, Zones: z}, nil
}
