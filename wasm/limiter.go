package wasm

import (
	"context"
	"sync/atomic"
	"time"
)

// limiter bounds the calls of one instance. It is the seam where metering by
// rewriting will take the place of the engine's context check: whoever calls a
// guest does so between start and stop, with the limiter as the context.
//
// The engine looks at the context in every loop and function it compiled, and
// starts a goroutine per call that waits for Done. That bounds a call in wall time,
// costs three small allocations a call, and makes tight loops several times slower.
//
// It implements context.Context so that a call allocates no context of its own.
type limiter struct {
	world   *world
	done    chan struct{} // nil: unbounded
	expired atomic.Bool
	timer   *time.Timer
}

type worldKey struct{}

func newLimiter(w *world, unbounded bool) *limiter {
	l := &limiter{world: w}
	if unbounded {
		return l
	}
	l.done = make(chan struct{})
	l.timer = time.AfterFunc(time.Hour, l.expire)
	l.timer.Stop()
	return l
}

func (l *limiter) expire() {
	if l.expired.CompareAndSwap(false, true) {
		close(l.done)
	}
}

// start bounds what follows, up to stop, to d.
func (l *limiter) start(d time.Duration) {
	if l.timer != nil {
		l.timer.Reset(d)
	}
}

// stop ends the bound and tells whether it was reached; then the instance must
// not be used again, whatever its call returned.
func (l *limiter) stop() (expired bool) {
	if l.timer != nil && !l.timer.Stop() {
		l.expire() // the timer has fired, its goroutine may still be on the way
	}
	return l.expired.Load()
}

// Deadline implements context.Context.
func (l *limiter) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (l *limiter) Done() <-chan struct{} { return l.done }

// Err implements context.Context.
func (l *limiter) Err() error {
	if l.expired.Load() {
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context; host functions find their world here.
func (l *limiter) Value(key any) any {
	if key == (worldKey{}) {
		return l.world
	}
	return nil
}
