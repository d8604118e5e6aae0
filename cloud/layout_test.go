package cloud

import (
	"strings"
	"testing"

	"github.com/leatio/leat/cloud/log/memory"
)

// Another number of partitions was taken in silence, and keys lost their state.
func TestPartitionsCannotChange(t *testing.T) {
	s := memory.New(memory.Config{})
	for _, n := range []int{16, 16} {
		if err := checkLayout(t.Context(), s, n); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{15, 17} {
		if err := checkLayout(t.Context(), s, n); err == nil || !strings.Contains(err.Error(), "was made with 16") {
			t.Errorf("%d partitions: %v", n, err)
		}
	}
}
