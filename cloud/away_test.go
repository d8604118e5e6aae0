package cloud

import (
	"testing"
	"time"
)

// AWAY that a partition did not take, as it changed its owner just then, was never said again.
func TestAwayIsSaidAgainUntilAllPartitionsHaveIt(t *testing.T) {
	a := newAway(30 * time.Second)
	told := map[int]int{}
	step := func(second int, isAway, connected bool) {
		told[second] = len(a.due(time.Unix(int64(second), 0), map[string]bool{"x": isAway}, map[string]bool{"x": connected}))
	}
	step(0, false, false)
	step(29, false, false)
	step(30, false, false) // now
	step(31, false, false)
	step(59, false, false)
	step(60, false, false) // some partition does not have it
	step(61, true, false)
	step(200, true, false)
	step(201, false, true) // it is back
	step(202, false, false)
	step(231, false, false)
	step(232, false, false) // gone again
	for second, want := range map[int]int{0: 0, 29: 0, 30: 1, 31: 0, 59: 0, 60: 1, 61: 0, 200: 0, 201: 0, 202: 0, 231: 0, 232: 1} {
		if told[second] != want {
			t.Errorf("at %d s AWAY is said %d times, want %d", second, told[second], want)
		}
	}
}
