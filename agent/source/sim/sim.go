package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/leatio/leat/agent/source"
)

// Config of a Source.
type Config struct {
	Devices int     // 0 = DefaultDevices
	Rate    float64 // rows per second; 0 = as fast as they are taken
	Rows    uint64  // 0 = without end
	Seed    uint64
	Prefix  string           // goes before the keys in Puts and Store
	Now     func() time.Time // nil = time.Now
}

// MaxRate bounds Config.Rate.
const MaxRate = 10_000_000

// tick is how often a paced source looks at the clock.
const tick = 10 * time.Millisecond

// Validate names the bad field.
func (c Config) Validate() error {
	switch {
	case c.Devices < 0 || c.Devices > MaxDevices:
		return fmt.Errorf("sim source: devices is %d: expected 1 to %d", c.Devices, MaxDevices)
	case !(c.Rate >= 0 && c.Rate <= MaxRate):
		return fmt.Errorf("sim source: rate is %v: expected 0 to %d rows a second", c.Rate, MaxRate)
	}
	return nil
}

// Source makes rows. It is a source.Source.
type Source struct {
	cfg   Config
	store source.Store // may be nil
	ready chan struct{}

	started atomic.Bool // Run has read the store; Take may work
	running atomic.Bool
	due     atomic.Uint64 // rows that the pace allows, since Run began
	given   atomic.Uint64 // rows given since Run began
	rowsMax uint64        // rows still to give when Run began; set before started
	before  uint64        // rows given and committed before; set before started

	// Owned by Take.
	climate *Climate
	arena   []byte
	lens    []int

	ended    bool
	finished chan struct{} // closed when the last row is given
}

// New returns a source; store may be nil for one that always begins at the start.
func New(cfg Config, store source.Store) (*Source, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Source{cfg: cfg, store: store, ready: make(chan struct{}, 1), finished: make(chan struct{})}, nil
}

const rowsKey = "rows"

// Run implements source.Source.
func (s *Source) Run(ctx context.Context) error {
	if err := s.restore(); err != nil {
		return fmt.Errorf("sim source: %w", err)
	}
	s.climate = NewClimate(s.cfg.Seed, s.cfg.Devices)
	if s.cfg.Rate == 0 {
		for i := range s.before {
			if i%(1<<20) == 0 && ctx.Err() != nil {
				return nil
			}
			s.climate.Next()
		}
		s.due.Store(1<<64 - 1)
	}
	s.running.Store(true)
	defer s.running.Store(false)
	s.started.Store(true)
	s.wake()
	if s.cfg.Rate == 0 {
		// Take makes the rows. It is never dry before the end, so that one token is enough.
		select {
		case <-ctx.Done():
		case <-s.finished:
		}
		return nil
	}
	return s.pace(ctx)
}

func (s *Source) restore() error {
	s.rowsMax = 1<<64 - 1
	if s.store != nil {
		v, err := s.store.Get(s.cfg.Prefix + rowsKey)
		if err != nil {
			return err
		}
		if v != nil {
			var n int
			if s.before, n = binary.Uvarint(v); n <= 0 || n != len(v) {
				return errors.New("the stored position is damaged: apply the pipeline under a new name to start over")
			}
		}
	}
	if s.cfg.Rows > 0 {
		s.rowsMax = s.cfg.Rows - min(s.before, s.cfg.Rows)
	}
	return nil
}

// pace raises due by the clock.
func (s *Source) pace(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	start := s.cfg.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.finished:
			return nil
		case <-ticker.C:
			due := uint64(max(0, s.cfg.Now().Sub(start).Seconds()) * s.cfg.Rate)
			if due > s.due.Load() {
				s.due.Store(due)
				s.wake()
			}
		}
	}
}

// Take implements source.Source.
func (s *Source) Take(c *source.Chunk, most int) {
	c.Reset()
	if !s.started.Load() {
		c.Dry = true
		return
	}
	given := s.given.Load()
	n := min(uint64(max(most, 0)), s.rowsMax-given, max(s.due.Load(), given)-given)
	now := s.cfg.Now()
	s.arena, s.lens = s.arena[:0], s.lens[:0]
	for range n {
		row := s.climate.Next()
		if s.cfg.Rate > 0 {
			row.Millis = now.UnixMilli()
		}
		from := len(s.arena)
		s.arena = row.AppendJSON(s.arena)
		s.lens = append(s.lens, len(s.arena)-from)
	}
	at, micros := 0, now.UnixMicro()
	for _, l := range s.lens {
		c.Messages = append(c.Messages, source.Message{Topic: "sim", Payload: s.arena[at : at+l : at+l], ReceivedMicros: micros})
		at += l
	}
	given += n
	s.given.Store(given)
	c.End = given == s.rowsMax
	if c.End && !s.ended {
		s.ended = true
		close(s.finished)
	}
	c.Dry = c.End || given >= s.due.Load()
	if n > 0 {
		c.Puts = append(c.Puts, source.Entry{Key: s.cfg.Prefix + rowsKey, Value: binary.AppendUvarint(nil, s.before+given)})
	}
}

func (s *Source) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Ready implements source.Source.
func (s *Source) Ready() <-chan struct{} { return s.ready }

// Connected implements source.Source.
func (s *Source) Connected() bool { return s.running.Load() }

// Status implements source.Source.
func (s *Source) Status() source.Status {
	st := source.Status{Connected: s.Connected(), Received: s.given.Load(), Detail: "simulating"}
	if !st.Connected {
		st.Detail = "not running"
	}
	return st
}
