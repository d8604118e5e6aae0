package wasm

import (
	"context"
	"math"
	"math/rand/v2"
)

// world is all that an instance can see beside its arguments. It is a function
// of the module and of the calls that the instance has had.
type world struct {
	eventTime int64 // microseconds, of the batch
	monotonic int64 // nanoseconds
	random    *rand.ChaCha8
	out       *guestOutput
	stdout    lineWriter
	stderr    lineWriter
}

func newWorld(seed [32]byte, out *guestOutput) *world {
	// Go's runtime takes a monotonic clock of 0 for a broken one, so it starts at 1 ns.
	w := &world{monotonic: 1, random: rand.NewChaCha8(seed), out: out}
	w.stdout = lineWriter{out: out, level: levelInfo}
	w.stderr = lineWriter{out: out, level: levelWarning}
	return w
}

// worldOf is the world of the instance on whose behalf a host function runs.
func worldOf(ctx context.Context) *world {
	w, ok := ctx.Value(worldKey{}).(*world)
	if !ok {
		panic("BUG: wasm: a guest was called without its limiter")
	}
	return w
}

// walltime is the batch's event time.
func (w *world) walltime() (sec int64, nsec int32) {
	sec, micros := w.eventTime/1e6, w.eventTime%1e6
	if micros < 0 {
		sec, micros = sec-1, micros+1e6
	}
	return sec, int32(micros * 1000)
}

func (w *world) nanotime() int64 { return w.monotonic }

// nanosleep moves the monotonic clock on and returns at once.
func (w *world) nanosleep(ns int64) {
	switch {
	case ns <= 0:
	case w.monotonic > math.MaxInt64-ns:
		w.monotonic = math.MaxInt64
	default:
		w.monotonic += ns
	}
}
