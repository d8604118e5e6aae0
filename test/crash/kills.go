package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// kind is what a kill strikes.
type kind string

const (
	killAgent kind = "agent"
	killCloud kind = "cloud"
	killBoth  kind = "both"
)

func (k kind) agent() bool { return k != killCloud }
func (k kind) cloud() bool { return k != killAgent }

// Kill is what a kill met.
type Kill struct {
	Kind        string
	Published   int64         // messages, at its moment
	After       time.Duration // since the kill before, or the start
	Unacked     uint64        // messages sent by the broker and not acknowledged
	Frames      uint64        // frames committed and not acknowledged
	Idle        bool          // nothing was in flight: it does not count
	Back        time.Duration // agent: until it acknowledged messages again; 0 = not before the next kill
	Redelivered uint64        // until the next kill: messages that the broker sent again
	Recognised  uint64        // of these the agent had committed already
	Found       uint64        // frames that the cloud had already, their acknowledgement lost
	Resent      uint64        // frames sent again
	Duplicates  uint64        // entries that the workers dropped

	at    time.Time
	given map[string]uint64 // frames committed, by pipeline
}

const killHead = "  #  kind   published  after ms  unacked msgs  frames in flight | back ms  redelivered  recognised  found durable  resent  worker dups"

func (k *Kill) line(n int) string {
	if k.Idle {
		return fmt.Sprintf("  -  %-5s %10d %9d  idle: does not count, repeated at another moment", k.Kind, k.Published, k.After.Milliseconds())
	}
	back := "-"
	if k.Back > 0 {
		back = fmt.Sprint(k.Back.Milliseconds())
	}
	return fmt.Sprintf("%3d  %-5s %10d %9d %13d %17d | %7s %12d %11d %14d %7d %12d", n, k.Kind, k.Published, k.After.Milliseconds(),
		k.Unacked, k.Frames, back, k.Redelivered, k.Recognised, k.Found, k.Resent, k.Duplicates)
}

// killer kills at seeded moments.
type killer struct {
	site  *site
	pub   *publisher
	rng   *rand.Rand
	deck  []kind
	total int // messages

	// Owned by run.
	kills []*Kill
	open  *Kill // the last one, until its aftermath is known
	mark  tally
	when  time.Time
	print func(string)
}

// tally are counters of the whole run.
type tally struct{ redelivered, recognised, found, resent, duplicates uint64 }

// deckOf mixes as many agents as nodes, and now and then both at once.
func deckOf(n int, rng *rand.Rand) []kind {
	deck := make([]kind, n)
	for i := range deck {
		deck[i] = []kind{killAgent, killCloud}[i%2]
		if i%10 == 9 {
			deck[i] = killBoth
		}
	}
	rng.Shuffle(n, func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return deck
}

func newKiller(s *site, p *publisher, cfg Config, print func(string)) *killer {
	rng := rand.New(rand.NewPCG(cfg.Seed, 2))
	return &killer{site: s, pub: p, rng: rng, deck: deckOf(cfg.Kills, rng), total: cfg.Messages, when: time.Now(), print: print}
}

// Bounds of what a run does beyond its deck.
const (
	maxIdle  = 100 // idle kills
	maxExtra = 20  // kills because a fault was not met yet

	// A run of so many kills must have met a redelivery of a committed message, and tries to meet
	// a frame that was durable in some partitions only.
	manyKills = 10
)

// run makes all kills, and some more while a fault was not met: no message that was committed came
// again, or no frame. It returns when the last has struck and its victims run again.
func (k *killer) run(ctx context.Context) error {
	k.print(killHead)
	idle, planned := 0, len(k.deck)
	for done := 0; done < len(k.deck); {
		if err := k.moment(ctx, len(k.deck)-done); err != nil {
			return err
		}
		hit, err := k.strike(ctx, k.deck[done])
		if err != nil {
			return err
		}
		if hit.Idle {
			if idle++; idle > maxIdle {
				return fmt.Errorf("%d kills met nothing in flight: is anything published?", idle)
			}
			k.print(hit.line(0))
			continue
		}
		if done++; done < len(k.deck) {
			continue
		}
		next, err := k.missing(ctx)
		if err != nil {
			return err
		}
		if next == "" || done == planned+maxExtra {
			return nil
		}
		k.deck = append(k.deck, next)
	}
	return nil
}

// missing waits until the last victims are back at work, and gives what to kill next to meet a fault that was not met yet.
func (k *killer) missing(ctx context.Context) (kind, error) {
	s := k.site
	err := s.until(ctx, "messages and frames are acknowledged after the last kill", func(ctx context.Context) error {
		return retry(ctx, func() error {
			m, err := s.agentView.scrape(ctx)
			if err != nil {
				return err
			}
			if _, err = s.cloudView.scrape(ctx); err != nil {
				return err
			}
			for _, p := range []string{windowsTable, rowsTable} {
				if m.of("leat_agent_messages_total", p) < uint64(k.open.Published) || m.of("leat_agent_frames_acknowledged_total", p) < k.open.given[p] {
					return fmt.Errorf("%s is not yet where it was", p)
				}
			}
			return nil
		})
	})
	t := k.tally()
	switch {
	case err != nil:
		return "", err
	case t.recognised == 0:
		return killAgent, nil
	case t.found+t.resent == 0, t.duplicates == 0 && len(k.deck) >= manyKills:
		return killCloud, nil
	}
	return "", nil
}

// moment waits for the next random moment: a number of messages from now, and then some milliseconds.
func (k *killer) moment(ctx context.Context, left int) error {
	now := k.pub.published.Load()
	gap := max((int64(k.total)*19/20-now)/int64(left), 100)
	at := now + gap/5 + k.rng.Int64N(8*gap/5)
	if err := k.site.witness.wait(ctx, func() bool { return k.pub.published.Load() >= at }); err != nil {
		return err
	}
	select {
	case <-time.After(time.Duration(k.rng.Int64N(int64(100 * time.Millisecond)))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// strike kills, looks at what was in flight and starts the victims again.
func (k *killer) strike(ctx context.Context, what kind) (*Kill, error) {
	s := k.site
	before, err := s.agentView.scrape(ctx)
	if err != nil {
		before = s.agentView.newest() // it is starting; nothing newer is known
	}
	if what.cloud() {
		_, _ = s.cloudView.scrape(ctx) // for the counters that die with it
	}
	k.settle()
	hit := &Kill{Kind: string(what), Published: k.pub.published.Load(), After: time.Since(k.when), given: map[string]uint64{}}
	for _, p := range []string{windowsTable, rowsTable} {
		hit.given[p] = before.of("leat_agent_frames_total", p)
	}
	k.when = time.Now()
	hit.at = k.when
	if err := k.end(what); err != nil {
		return nil, err
	}
	if what.agent() {
		if err := k.postmortem(ctx, hit); err != nil {
			return nil, err
		}
	} else {
		hit.Unacked = s.witness.tally(unacked)
	}
	hit.Frames = before.sum("leat_agent_frames_waiting")
	if what == killCloud {
		// Frames that were given before and are unacknowledged after the kill were certainly in flight.
		hit.Frames = 0
		if after, err := s.agentView.scrape(ctx); err == nil {
			hit.Frames = framesBetween(before, after)
		}
	}
	hit.Idle = what.agent() && hit.Unacked+hit.Frames == 0 || what.cloud() && hit.Frames == 0
	if !hit.Idle {
		k.kills, k.open = append(k.kills, hit), hit
	}
	return hit, k.restart(what)
}

func unacked(s *session) uint64 { return uint64(len(s.unacked)) }

// framesBetween counts the frames committed by the first scrape that are not acknowledged at the second.
func framesBetween(before, after metrics) uint64 {
	var n uint64
	for _, p := range []string{windowsTable, rowsTable} {
		given, acked := before.of("leat_agent_frames_total", p), after.of("leat_agent_frames_acknowledged_total", p)
		n += given - min(acked, given)
	}
	return n
}

func (k *killer) end(what kind) error {
	var wg sync.WaitGroup
	var agentErr, cloudErr error
	if what.agent() {
		wg.Go(func() { agentErr = k.site.agent.kill() })
	}
	if what.cloud() {
		wg.Go(func() { cloudErr = k.site.cloud.kill() })
	}
	wg.Wait()
	return errors.Join(agentErr, cloudErr)
}

func (k *killer) restart(what kind) error {
	var errs []error
	if what.cloud() {
		errs = append(errs, k.site.cloud.start())
	}
	if what.agent() {
		errs = append(errs, k.site.agent.start())
	}
	return errors.Join(errs...)
}

// postmortem waits until the broker has seen the agent's end, and so has
// worked on its last acknowledgements, then counts what it still holds for it.
func (k *killer) postmortem(ctx context.Context, hit *Kill) error {
	w := k.site.witness
	err := k.site.until(ctx, "the broker sees the agent's end", func(ctx context.Context) error {
		return w.wait(ctx, func() bool {
			for _, s := range w.subscribers() {
				if s.connected {
					return false
				}
			}
			return true
		})
	})
	hit.Unacked = w.tally(unacked)
	return err
}

// settle completes the last kill with what came of it, and prints it.
func (k *killer) settle() {
	now := k.tally()
	if k.open != nil {
		o := k.open
		o.Redelivered, o.Recognised = now.redelivered-k.mark.redelivered, now.recognised-k.mark.recognised
		if at, ok := k.site.witness.back(o.at); ok && kind(o.Kind).agent() {
			o.Back = at.Sub(o.at)
		}
		o.Found, o.Resent, o.Duplicates = now.found-k.mark.found, now.resent-k.mark.resent, now.duplicates-k.mark.duplicates
		k.print(o.line(len(k.kills)))
	}
	k.open, k.mark = nil, now
}

func (k *killer) tally() tally {
	s := k.site
	return tally{
		redelivered: s.witness.tally(func(s *session) uint64 { return s.again }),
		recognised:  s.agentView.total("leat_agent_redeliveries_total"),
		found:       s.agentView.total("leat_agent_frames_found_durable_total"),
		resent:      s.agentView.total("leat_agent_frames_resent_total"),
		duplicates:  s.cloudView.total("leat_worker_duplicates_total"),
	}
}
