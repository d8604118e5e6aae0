package crash

import (
	"cmp"
	"io"
	"math/rand/v2"
	"time"
)

// Config is how a run goes. Bin and Dir must be given; the zero value of every
// other field is its default.
type Config struct {
	Bin string // directory of leat, leat-agent and leat-cloud
	Dir string // an existing directory, for data and logs

	Messages int           // to publish; default 20,000
	Kills    int           // default 4
	Seed     uint64        // of the messages and of the kills; default random
	Backlog  int           // published and not acknowledged by the slower subscription: the publisher waits beyond; default 600
	Settle   time.Duration // longest wait for a single thing, such as results after the last message; default 3 min

	Out io.Writer // gets a line for each kill; default none
}

func (c Config) withDefaults() Config {
	c.Messages = cmp.Or(c.Messages, 20_000)
	c.Kills = cmp.Or(c.Kills, 4)
	c.Backlog = cmp.Or(c.Backlog, 600)
	c.Settle = cmp.Or(c.Settle, 3*time.Minute)
	for c.Seed == 0 {
		c.Seed = rand.Uint64N(1_000_000)
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	return c
}
