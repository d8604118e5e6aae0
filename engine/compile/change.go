package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// ChangeReport says for people what a new version of a pipeline goes on with.
type ChangeReport struct {
	Kept    string   `json:"kept"` // all, windows or nothing
	Summary string   `json:"summary"`
	Reasons []string `json:"reasons,omitempty"` // why it is not more
	Windows []string `json:"windows,omitempty"` // what becomes of the states of each window
	Tables  []string `json:"tables,omitempty"`  // what becomes of result tables
}

// Change compares a new version of a pipeline with the one before it.
func Change(old, next *plan.Plan) *ChangeReport {
	c := plan.Compare(old, next)
	r := &ChangeReport{Reasons: c.Reasons, Tables: tableChanges(old, next)}
	switch c.Kept {
	case plan.KeptAll:
		r.Kept, r.Summary = "all", "lanes and states are kept: the new version goes on where the old one is"
	case plan.KeptWindows:
		r.Kept, r.Summary = "windows", "the states of windows are kept; agents send in new lanes"
		for _, w := range c.Windows {
			r.Windows = append(r.Windows, windowChange(old, next, w))
		}
		r.Windows = append(r.Windows, newWindows(next, c.Windows)...)
	default:
		r.Kept, r.Summary = "nothing", "the new version starts anew at a boundary of its windows; rows from before it, those that agents still hold too, are finished under the old one"
	}
	return r
}

// windowChange tells what becomes of the state of a window.
func windowChange(old, next *plan.Plan, c plan.WindowChange) string {
	a, b := old.Cloud.Nodes[c.Old].GetFinalWindow(), next.Cloud.Nodes[c.Next].GetFinalWindow()
	var kept, fresh, gone []string
	used := map[int]bool{}
	for i, from := range c.Accumulators {
		if from < 0 {
			fresh = append(fresh, stateText(b.Accumulators[i]))
			continue
		}
		used[from] = true
		kept = append(kept, stateText(b.Accumulators[i]))
	}
	for i, acc := range a.Accumulators {
		if !used[i] {
			gone = append(gone, stateText(acc))
		}
	}
	text := "window " + b.Name + ": "
	parts := []string{}
	for _, p := range []struct {
		list []string
		what string
	}{{kept, "keeps %s"}, {fresh, "adds %s, empty in windows that are open now but for rows that come from now on"}, {gone, "drops %s"}} {
		if len(p.list) > 0 {
			parts = append(parts, fmt.Sprintf(p.what, strings.Join(p.list, ", ")))
		}
	}
	return text + strings.Join(parts, "; ")
}

// newWindows names the windows that go on with nothing.
func newWindows(next *plan.Plan, kept []plan.WindowChange) []string {
	var out []string
	for _, n := range next.Cloud.Nodes {
		w := n.GetFinalWindow()
		if w != nil && !slices.ContainsFunc(kept, func(c plan.WindowChange) bool { return c.Next == n.Id }) {
			out = append(out, "window "+w.Name+": is new")
		}
	}
	return out
}

func stateText(a *plan.Accumulator) string {
	text := a.Kind
	if a.Param != 0 {
		text = fmt.Sprintf("%s %g", a.Kind, a.Param)
	}
	if a.Argument != "" {
		text += " of " + a.Argument
	}
	return text
}

// tableChanges tells what becomes of the columns of result tables.
func tableChanges(old, next *plan.Plan) []string {
	before, after := tablesOf(old), tablesOf(next)
	var out []string
	for _, t := range after {
		at := slices.IndexFunc(before, func(b tableColumns) bool { return b.name == t.name })
		if at < 0 {
			out = append(out, fmt.Sprintf("table %s: is new", t.name))
			continue
		}
		if parts := columnChanges(before[at].columns, t.columns); len(parts) > 0 {
			out = append(out, fmt.Sprintf("table %s: %s", t.name, strings.Join(parts, "; ")))
		}
	}
	for _, t := range before {
		if !slices.ContainsFunc(after, func(a tableColumns) bool { return a.name == t.name }) {
			out = append(out, fmt.Sprintf("table %s: stays as it is and gets no more rows", t.name))
		}
	}
	return out
}

type tableColumns struct {
	name    string
	columns []*plan.Column
}

func tablesOf(p *plan.Plan) []tableColumns {
	var out []tableColumns
	for _, n := range p.Cloud.Nodes {
		if t := n.GetSink().GetTable(); t != nil {
			out = append(out, tableColumns{t.Name, n.Schema})
		}
	}
	return out
}

func columnChanges(before, after []*plan.Column) []string {
	var added, gone, changed []string
	of := func(list []*plan.Column, name string) *plan.Column {
		for _, c := range list {
			if c.Name == name {
				return c
			}
		}
		return nil
	}
	for _, c := range after {
		switch was := of(before, c.Name); {
		case was == nil:
			added = append(added, c.Name)
		case was.Type != c.Type:
			changed = append(changed, fmt.Sprintf("%s is a %s, it was a %s", c.Name, batch.Type(c.Type), batch.Type(was.Type)))
		}
	}
	for _, c := range before {
		if of(after, c.Name) == nil {
			gone = append(gone, c.Name)
		}
	}
	var parts []string
	if len(added) > 0 {
		parts = append(parts, "gets "+strings.Join(added, ", ")+", null in the rows there are")
	}
	if len(gone) > 0 {
		parts = append(parts, "gets no more values of "+strings.Join(gone, ", "))
	}
	return append(parts, changed...)
}
