package sql

import (
	"strings"
	"testing"

	"github.com/leatio/leat/engine/plan"
)

// What the parser takes, a plan holds: nesting as deep as it gets, with the
// operations that the binder puts between.
func TestDeepestExpressionsFitInPlans(t *testing.T) {
	left := strings.Repeat("(", MaxDepth/2-2)
	for name, text := range map[string]string{
		"sum":      "i" + strings.Repeat(" + 1", MaxDepth-2),
		"not like": left + "device" + strings.Repeat(" NOT LIKE 'a')::text", MaxDepth/2-2),
		"concat":   strings.Repeat("length(concat(", MaxDepth/2-2) + "i" + strings.Repeat("))", MaxDepth/2-2),
	} {
		e, err := Bind(text, testScope)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		column := &plan.Column{Name: "x", Type: e.Type}
		var in []*plan.SourceColumn
		for _, f := range testScope.Columns {
			in = append(in, &plan.SourceColumn{Name: f.Name, Type: uint32(f.Type)})
		}
		p := &plan.Plan{Format: 1, Pipeline: "p",
			Source: &plan.Source{Kind: &plan.Source_File{File: &plan.FileSource{Paths: []string{"-"}}}, Format: "json", Columns: in},
			Ports:  []*plan.Port{{Schema: []*plan.Column{column}}},
			Edge: &plan.Fragment{Nodes: []*plan.Node{
				{Input: -1, Schema: []*plan.Column{column}, Op: &plan.Node_Project{Project: &plan.Project{Columns: []*plan.Expr{e}}}},
				{Id: 1, Schema: []*plan.Column{column}, Op: &plan.Node_PortOut{PortOut: &plan.PortOut{}}},
			}},
			Cloud: &plan.Fragment{Nodes: []*plan.Node{{Input: -1, Schema: []*plan.Column{column}, Op: &plan.Node_PortIn{PortIn: &plan.PortIn{}}}}},
		}
		raw, err := plan.Marshal(p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := plan.Unmarshal(raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
