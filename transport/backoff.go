package transport

import (
	"math/rand/v2"
	"time"
)

// backoff gives pauses with full jitter: between 0 and a bound that doubles
// from least to most, so that agents that lost their node together do not come back together.
type backoff struct {
	least, most, bound time.Duration
}

func newBackoff(least, most time.Duration) *backoff { return &backoff{least, most, least} }

func (b *backoff) next() time.Duration {
	d := rand.N(b.bound + 1)
	b.bound = min(2*b.bound, b.most)
	return d
}

// longest is a pause of the longest kind: between half of the most and the most.
func (b *backoff) longest() time.Duration {
	b.bound = b.most
	return b.most/2 + rand.N(b.most/2+1)
}

func (b *backoff) reset() { b.bound = b.least }
