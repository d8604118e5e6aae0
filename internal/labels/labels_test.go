package labels_test

import (
	"strings"
	"testing"

	"github.com/leatio/leat/internal/labels"
)

func TestCheck(t *testing.T) {
	good := map[string]string{"role": "greenhouse", "Site.Name": "North/2", "a-b": "c_d", "x": strings.Repeat("y", 63)}
	if errs := labels.Check(good); len(errs) != 0 {
		t.Errorf("good labels: %v", errs)
	}
	for k, v := range map[string]string{
		"": "x", "x": "", "a b": "c", "a!": "b", "a": "b,c=d", " a": "b", "b": " c", "-a": "b", "c": "é", "d": strings.Repeat("y", 64), "e=f": "g",
	} {
		if errs := labels.Check(map[string]string{k: v}); len(errs) != 1 {
			t.Errorf("%q = %q: %v", k, v, errs)
		}
	}
}
