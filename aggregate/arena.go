package aggregate

import "math/bits"

// arena hands out runs of counters of 8, 16, 32, ... elements, all zero, and takes them
// back, so that sketches of many slots have no pointers and make no garbage.
// A run is named by its offset in units of eight elements.
type arena[T uint8 | uint32 | uint64] struct {
	mem  []T
	free [maxRun + 1][]uint32 // by class
}

// A run of class c has 1<<c elements.
const (
	minRun = 3
	maxRun = 13
)

// runClass is the smallest class of n elements.
func runClass(n int) uint8 { return uint8(max(minRun, bits.Len(uint(n-1)))) }

func (a *arena[T]) take(class uint8) (at uint32) {
	if n := len(a.free[class]); n > 0 {
		at = a.free[class][n-1]
		a.free[class] = a.free[class][:n-1]
		return at
	}
	n := len(a.mem)
	a.mem = grow(a.mem, n+1<<class, 0)
	return uint32(n >> minRun)
}

func (a *arena[T]) give(at uint32, class uint8) {
	clear(a.run(at, class))
	a.free[class] = append(a.free[class], at)
}

func (a *arena[T]) run(at uint32, class uint8) []T {
	i := int(at) << minRun
	return a.mem[i : i+1<<class : i+1<<class]
}

// freeBytes is the memory of the lists of free runs.
func (a *arena[T]) freeBytes() (n int) {
	for i := range a.free {
		n += 4 * cap(a.free[i])
	}
	return n
}
