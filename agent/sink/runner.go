package sink

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Outlet is where messages go.
type Outlet interface {
	// Deliver gives the messages to the other side, in their order, and tells how many
	// of them, from the first on, it has for sure: all of them where there is no error. After an
	// error it is called with the others again.
	Deliver(ctx context.Context, messages []Message) (delivered int, err error)
	Close() error
}

// ErrUnreachable says that the other side could not be reached at all, so that no message is to blame.
var ErrUnreachable = errors.New("it cannot be reached")

// maxStrikes is how often a message may fail by itself while the other side can be
// reached; then it is given up, so that the others go on.
const maxStrikes = 5

// Queue is the stream of the store that holds a sink's records, numbered from First up to Next.
type Queue interface {
	First() uint64
	Next() uint64
	Wait(ctx context.Context, seq uint64) error
	Read(seq uint64) ([]byte, error)
	Ack(upTo uint64) error
}

// Config of a Runner. Name, Queue and Outlet must be given.
type Config struct {
	Name        string // in messages
	Queue       Queue
	Outlet      Outlet
	BudgetBytes int64         // of the queue; default 16 MiB
	MinBackoff  time.Duration // default 250 ms
	MaxBackoff  time.Duration // default 30 s
	Log         *slog.Logger  // default: silent
}

// Runner delivers what its queue holds, oldest first.
type Runner struct {
	cfg Config

	mu     sync.Mutex
	sizes  []size // of the queue's records, by position; sizes[0] is record first
	first  uint64
	bytes  int64
	stats  Stats
	toldAt time.Time
}

type size struct {
	bytes    int64
	messages int
}

// Stats are a sink's counters since the agent's start.
type Stats struct {
	Name      string
	Delivered uint64 // messages
	Dropped   uint64 // messages beyond the budget, that the disk lost, or that the other side never takes
	Failures  uint64 // deliveries that were tried in vain
	Waiting   uint64 // messages in the queue
	Bytes     int64  // of the queue
	Error     string // why the last delivery failed; empty = it did not
}

// New returns a runner and looks at what its queue holds.
func New(cfg Config) (*Runner, error) {
	cfg.BudgetBytes = cmp.Or(cfg.BudgetBytes, 16<<20)
	cfg.MinBackoff = cmp.Or(cfg.MinBackoff, 250*time.Millisecond)
	cfg.MaxBackoff = cmp.Or(cfg.MaxBackoff, 30*time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{cfg: cfg, first: cfg.Queue.First(), stats: Stats{Name: cfg.Name}}
	for seq := r.first; seq < cfg.Queue.Next(); seq++ {
		// One that cannot be read counts for nothing here; deliver gives it up.
		b, _ := cfg.Queue.Read(seq)
		messages, _ := ParseMessages(b)
		r.sizes = append(r.sizes, size{int64(len(b)), len(messages)})
		r.bytes += int64(len(b))
	}
	return r, nil
}

// Add notes the record that the next commit puts into the queue.
func (r *Runner) Add(bytes, messages int) {
	r.mu.Lock()
	r.sizes = append(r.sizes, size{int64(bytes), messages})
	r.bytes += int64(bytes)
	r.mu.Unlock()
}

// Trim drops the oldest records beyond the budget, after the commit. The newest
// record stays, whatever its size.
func (r *Runner) Trim() error {
	r.mu.Lock()
	var dropped uint64
	n := 0
	for ; n < len(r.sizes)-1 && r.bytes > r.cfg.BudgetBytes; n++ {
		r.bytes -= r.sizes[n].bytes
		dropped += uint64(r.sizes[n].messages)
	}
	r.sizes, r.first = r.sizes[n:], r.first+uint64(n)
	r.stats.Dropped += dropped
	upTo := r.first - 1
	r.mu.Unlock()
	if n == 0 {
		return nil
	}
	r.tell("the queue of an edge sink is over its budget; its oldest messages were dropped", "messages", dropped, "budget", r.cfg.BudgetBytes)
	return r.cfg.Queue.Ack(upTo)
}

// Stats gives the counters.
func (r *Runner) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Bytes = r.bytes
	for _, z := range r.sizes {
		s.Waiting += uint64(z.messages)
	}
	return s
}

// Run delivers until ctx ends or the store fails.
func (r *Runner) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, r.cfg.Outlet.Close()) }()
	for {
		r.mu.Lock()
		seq := r.first
		r.mu.Unlock()
		if err := r.cfg.Queue.Wait(ctx, seq); err != nil {
			return ended(ctx, err)
		}
		if err := r.deliver(ctx, seq); err != nil {
			return ended(ctx, err)
		}
	}
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// deliver brings one record out, or gives it up when it has been dropped or cannot be read.
func (r *Runner) deliver(ctx context.Context, seq uint64) error {
	b, err := r.cfg.Queue.Read(seq)
	if err == nil {
		var messages []Message
		if messages, err = ParseMessages(b); err == nil {
			return r.deliverAll(ctx, seq, messages)
		}
	}
	if r.gone(seq) {
		return nil
	}
	r.tell("a record of an edge sink's queue cannot be read; its messages are lost", "record", seq, "error", err)
	return r.done(seq, func(z size) { r.stats.Dropped += uint64(max(z.messages, 1)) })
}

// gone tells whether a record was dropped meanwhile.
func (r *Runner) gone(seq uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return seq < r.first
}

// deliverAll brings the messages of a record out. After a failure they go one by one, to
// find the one that fails by itself.
func (r *Runner) deliverAll(ctx context.Context, seq uint64, messages []Message) error {
	strikes, pause := 0, r.cfg.MinBackoff
	for len(messages) > 0 {
		next := messages
		if strikes > 0 {
			next = messages[:1]
		}
		n, err := r.cfg.Outlet.Deliver(ctx, next)
		messages = messages[n:]
		r.count(n, err)
		switch {
		case err == nil:
			strikes, pause = 0, r.cfg.MinBackoff
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case n > 0:
			strikes, pause = 1, r.cfg.MinBackoff
		case !errors.Is(err, ErrUnreachable):
			strikes++
		}
		if strikes > maxStrikes {
			r.tell("an edge sink gives a message up that the other side never takes", "topic", messages[0].Topic, "bytes", len(messages[0].Payload), "error", err)
			r.mu.Lock()
			r.stats.Dropped++
			r.mu.Unlock()
			messages, strikes, pause = messages[1:], 1, r.cfg.MinBackoff
			continue
		}
		r.tell("an edge sink cannot deliver and tries again; its messages wait on disk", "error", err)
		if err := wait(ctx, pause/2+rand.N(pause/2+1)); err != nil {
			return err
		}
		pause = min(2*pause, r.cfg.MaxBackoff)
		if r.gone(seq) {
			return nil
		}
	}
	return r.done(seq, func(size) {})
}

// count notes the outcome of a delivery.
func (r *Runner) count(delivered int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Delivered += uint64(delivered)
	r.stats.Error = ""
	if err != nil {
		r.stats.Failures++
		r.stats.Error = err.Error()
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// done takes a record off the queue.
func (r *Runner) done(seq uint64, count func(size)) error {
	r.mu.Lock()
	if seq < r.first { // dropped while it was on its way
		r.mu.Unlock()
		return nil
	}
	z := r.sizes[0]
	r.sizes = r.sizes[1:]
	r.bytes -= z.bytes
	r.first = seq + 1
	count(z)
	r.mu.Unlock()
	return r.cfg.Queue.Ack(seq)
}

// tellEvery bounds how often a sink's troubles are logged.
const tellEvery = time.Minute

func (r *Runner) tell(what string, args ...any) {
	r.mu.Lock()
	quiet := !r.toldAt.IsZero() && time.Since(r.toldAt) < tellEvery
	if !quiet {
		r.toldAt = time.Now()
	}
	r.mu.Unlock()
	if !quiet {
		r.cfg.Log.Warn(what, append([]any{"sink", r.cfg.Name}, args...)...)
	}
}
