package engine

import (
	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
)

// Lookups gives the content of reference tables by their plan entry. A table may be
// shared by many fragments.
type Lookups interface {
	Lookup(l *plan.Lookup) (*lookup.Table, error)
}
