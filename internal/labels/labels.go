// Package labels says what a label of an agent may be: whatever the selector of
// a pipeline (agents: "role=greenhouse") can name, and nothing else.
package labels

import (
	"fmt"
	"maps"
	"slices"

	"github.com/leatio/leat/engine/plan"
)

// Check gives a reason for each label that no selector could name, in order.
func Check(labels map[string]string) []error {
	var errs []error
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		v := labels[k]
		sel, err := plan.ParseSelector(k + "=" + v)
		if err != nil || len(sel) != 1 || sel[0] != (plan.Term{Label: k, Value: v}) {
			errs = append(errs, fmt.Errorf("label %q with value %q: both have 1 to 63 letters, digits, - _ . / and begin with a letter or digit", k, v))
		}
	}
	return errs
}
