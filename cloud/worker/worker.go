package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	cloudlog "github.com/leatio/leat/cloud/log"
	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/engine"
)

// ErrLogReplaced says that the log does not continue the checkpoint.
var ErrLogReplaced = errors.New("the log is not the one the checkpoint was made from; it was shortened or restored from a copy")

// Config is how a worker works. The zero value of a field is its default.
type Config struct {
	Partition       int
	CheckpointEvery time.Duration // default 5 s
	MaxResultRows   int           // results gathered before they go to the tables; default 16,384
	Log             *slog.Logger  // default: silent
}

func (c Config) withDefaults() Config {
	c.CheckpointEvery = cmp.Or(c.CheckpointEvery, 5*time.Second)
	c.MaxResultRows = cmp.Or(c.MaxResultRows, 16384)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Backend is where a worker reads from and writes to.
type Backend struct {
	Log     cloudlog.Log
	Keys    cloudlog.Keys
	Objects cloudlog.Objects
	Tables  sink.Tables
}

// Worker owns a partition while Run runs.
type Worker struct {
	cfg   Config
	back  Backend
	plans Plans
	frags Fragments
	ready chan struct{}
	once  sync.Once // closes ready

	// Owned by Run.
	state *state
	store *store
	full  bool // the next checkpoint must be a full one

	dropped int64 // rows, as told last
	toldAt  time.Time

	mu      sync.Mutex
	shared  Shared
	applied chan struct{} // closed and replaced when Offset rises
}

// Shared is what others may see of a worker.
type Shared struct {
	Epoch     uint64 // of the owner
	Offset    uint64 // of the last record applied
	Counters  Counters
	Lanes     map[LaneKey]LaneView
	Members   map[MemberKey]MemberView
	Pipelines []PipelineView
}

// LaneView is a lane as of the last record applied.
type LaneView struct {
	Last      uint64
	Sum       uint32
	Watermark int64
	Idle      bool
	Away      bool
}

// MemberKey names an agent of a pipeline version.
type MemberKey struct {
	Pipeline string
	Version  uint64
	Agent    string
}

// MemberView is an agent of a pipeline version as of the last record applied.
type MemberView struct {
	Heard   bool // it has sent a frame with its store of now
	Away    bool // the log says that it cannot be reached
	Passed  bool // the log says that windows no longer wait for it
	Ended   bool // it has said that nothing more will come
	Removed bool // the log says that nothing is expected of it
}

// PipelineView is a pipeline version in a partition.
type PipelineView struct {
	ID        string
	Version   uint64
	Name      string
	Watermark int64 // up to which windows fired; record.NoWatermark = none yet
	Reference int64 // the highest such watermark that is a time: ended sources go beyond
	Fired     int64
	TooLate   int64 // partials for windows that were forgotten
	Rejects   int64 // rows on which an expression or a function failed
}

// New returns a worker for a partition; Run starts it.
func New(b Backend, plans Plans, frags Fragments, cfg Config) *Worker {
	return &Worker{
		cfg: cfg.withDefaults(), back: b, plans: plans, frags: frags, ready: make(chan struct{}), applied: make(chan struct{}),
		shared: Shared{Lanes: map[LaneKey]LaneView{}, Members: map[MemberKey]MemberView{}},
	}
}

// Ready is closed once the worker has applied what the log held when it took over.
func (w *Worker) Ready() <-chan struct{} { return w.ready }

// Lane gives a lane as of the last record applied.
func (w *Worker) Lane(k LaneKey) (LaneView, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.shared.Lanes[k]
	return v, ok
}

// WaitApplied waits until the record at offset, and what the log held when the
// worker took over, is applied.
func (w *Worker) WaitApplied(ctx context.Context, offset uint64) error {
	select {
	case <-w.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		w.mu.Lock()
		now, changed := w.shared.Offset, w.applied
		w.mu.Unlock()
		if now >= offset {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// View gives what the worker shares, without the lanes and members.
func (w *Worker) View() Shared {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.shared
	v.Lanes, v.Members = nil, nil
	v.Pipelines = slices.Clone(v.Pipelines)
	return v
}

// Epoch is the owner's epoch as of the last record applied.
func (w *Worker) Epoch() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shared.Epoch
}

// Watermark is the one up to which a pipeline version's windows have fired while sources had not ended.
func (w *Worker) Watermark(pipeline string, version uint64) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.shared.Pipelines {
		if p := &w.shared.Pipelines[i]; p.ID == pipeline && p.Version == version {
			return p.Reference
		}
	}
	return record.NoWatermark
}

// Newest is the highest watermark of a lane of a pipeline version that has not ended.
func (w *Worker) Newest(pipeline string, version uint64) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest := int64(record.NoWatermark)
	for k, l := range w.shared.Lanes {
		if k.Pipeline == pipeline && k.Version == version && l.Watermark < engine.EndOfTime {
			newest = max(newest, l.Watermark)
		}
	}
	return newest
}

// Member gives an agent of a pipeline version as of the last record applied.
func (w *Worker) Member(k MemberKey) (MemberView, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.shared.Members[k]
	return v, ok
}

// Members calls f for each agent of each pipeline version, in no order. f must not call the worker.
func (w *Worker) Members(f func(MemberKey, MemberView)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, v := range w.shared.Members {
		f(k, v)
	}
}

// Run takes the partition over and works until ctx ends or it cannot go on.
// After an error it may be called again: everything is read anew.
func (w *Worker) Run(ctx context.Context) (err error) {
	_, next, err := w.back.Log.Bounds(ctx, w.cfg.Partition)
	if err != nil {
		return fmt.Errorf("partition %d: %w", w.cfg.Partition, err)
	}
	w.state, w.dropped = newState(w.cfg.Partition, w.plans, w.frags), 0
	defer func() {
		if cerr := w.state.close(); err == nil {
			err = cerr
		}
	}()
	if err := w.takeOver(ctx); err != nil {
		return err
	}
	reader, err := w.back.Log.Read(ctx, w.cfg.Partition, w.state.offset+1)
	if errors.Is(err, cloudlog.ErrBeyond) {
		return fmt.Errorf("partition %d, checkpoint at offset %d, log ends before %d: %w", w.cfg.Partition, w.state.offset, next, ErrLogReplaced)
	}
	if err != nil {
		return fmt.Errorf("partition %d: %w", w.cfg.Partition, err)
	}
	records := make(chan logRecord, 256)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.read(ctx, reader, records) })
	g.Go(func() error { return w.loop(ctx, records, next) })
	err = g.Wait()
	if cerr := reader.Close(); err == nil {
		err = cerr
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// takeOver claims the partition, says so in the log and loads the checkpoint.
func (w *Worker) takeOver(ctx context.Context) error {
	w.store = &store{partition: w.cfg.Partition, keys: w.back.Keys, objects: w.back.Objects}
	epoch, err := w.store.claim(ctx)
	if err != nil {
		return err
	}
	rec := record.Append(nil, &record.Record{Kind: record.KindEpoch, Writer: epoch})
	if _, err := w.back.Log.Append(ctx, w.cfg.Partition, rec); err != nil {
		return fmt.Errorf("partition %d: announce owner %d: %w", w.cfg.Partition, epoch, err)
	}
	for _, ref := range w.store.manifest.Objects {
		data, err := w.back.Objects.GetObject(ctx, ref.Name)
		if err != nil {
			return fmt.Errorf("partition %d: read checkpoint %s: %w", w.cfg.Partition, ref.Name, err)
		}
		c := new(Checkpoint)
		if err := ParseEnvelope(data, c); err != nil {
			return fmt.Errorf("partition %d: checkpoint %s: %w", w.cfg.Partition, ref.Name, err)
		}
		if err := w.state.restore(c); err != nil {
			return fmt.Errorf("partition %d: checkpoint %s: %w", w.cfg.Partition, ref.Name, err)
		}
	}
	w.state.resume()
	w.full = true // dirty marks of what was replayed before are gone
	w.mu.Lock()
	clear(w.shared.Lanes)
	clear(w.shared.Members)
	w.mu.Unlock()
	w.publish()
	return w.verify(ctx)
}

// verify checks that the record at the checkpoint's offset is the one it was made from.
func (w *Worker) verify(ctx context.Context) error {
	if w.state.offset == 0 {
		return nil
	}
	wrong := func(what string) error {
		return fmt.Errorf("partition %d: the record at offset %d %s: %w", w.cfg.Partition, w.state.offset, what, ErrLogReplaced)
	}
	r, err := w.back.Log.Read(ctx, w.cfg.Partition, w.state.offset)
	if errors.Is(err, cloudlog.ErrBeyond) || errors.Is(err, cloudlog.ErrTrimmed) {
		return wrong("is not there")
	}
	if err != nil {
		return fmt.Errorf("partition %d: %w", w.cfg.Partition, err)
	}
	_, rec, err := r.Next(ctx)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("partition %d: read the record of the checkpoint: %w", w.cfg.Partition, err)
	}
	parsed, err := record.Parse(rec)
	if err != nil || parsed.Checksum != w.state.checksum {
		return wrong("differs")
	}
	return nil
}

type logRecord struct {
	offset uint64
	record *record.Record
}

// read parses records ahead of the loop.
func (w *Worker) read(ctx context.Context, r cloudlog.Reader, out chan<- logRecord) error {
	for {
		offset, b, err := r.Next(ctx)
		if err != nil {
			return err
		}
		rec, err := record.Parse(b)
		if err != nil {
			return fmt.Errorf("partition %d, offset %d: %w", w.cfg.Partition, offset, err)
		}
		select {
		case out <- logRecord{offset, rec}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// loop applies records; whenever none waits, or many results have gathered,
// they go to the tables.
func (w *Worker) loop(ctx context.Context, in <-chan logRecord, readyAt uint64) error {
	tick := time.NewTicker(w.cfg.CheckpointEvery)
	defer tick.Stop()
	published := w.state.offset
	for {
		if w.state.offset+1 >= readyAt && readyAt > 0 {
			readyAt = 0
			w.once.Do(func() { close(w.ready) })
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if w.state.offset == published {
				continue
			}
			if err := w.checkpoint(ctx); err != nil {
				return err
			}
			published = w.state.offset
		case r := <-in:
			if err := w.applyWaiting(r, in); err != nil {
				return err
			}
			if err := w.writeResults(ctx); err != nil {
				return err
			}
			w.publish()
		}
	}
}

// applyWaiting applies r and what waits behind it, as far as results have room.
func (w *Worker) applyWaiting(r logRecord, in <-chan logRecord) error {
	for {
		if err := w.state.apply(r.offset, r.record); err != nil {
			return err
		}
		if w.state.out.rows >= w.cfg.MaxResultRows {
			return nil
		}
		select {
		case r = <-in:
		default:
			return nil
		}
	}
}

func (w *Worker) writeResults(ctx context.Context) error {
	if w.state.out.rows == 0 {
		return nil
	}
	if err := w.back.Tables.Apply(ctx, w.state.out.take()); err != nil {
		return fmt.Errorf("partition %d: write results: %w", w.cfg.Partition, err)
	}
	return nil
}

// checkpoint publishes the state; the tables hold everything up to it.
func (w *Worker) checkpoint(ctx context.Context) error {
	full := w.full || w.state.needsFull || w.store.wantsFull()
	c, err := w.state.snapshot(full)
	if err != nil {
		return err
	}
	w.full = true
	if err := w.store.publish(ctx, c); err != nil {
		return err
	}
	w.full = false
	if below := w.store.manifest.TrimBelow; below > 0 {
		if err := w.back.Log.Trim(ctx, w.cfg.Partition, below); err != nil {
			return fmt.Errorf("partition %d: trim: %w", w.cfg.Partition, err)
		}
	}
	w.cfg.Log.Debug("checkpoint", "partition", w.cfg.Partition, "offset", c.Offset, "full", full)
	return nil
}

// publish shares what has changed since the last call.
func (w *Worker) publish() {
	w.mu.Lock()
	w.shared.Epoch, w.shared.Offset, w.shared.Counters = w.state.owner, w.state.offset, w.state.count
	close(w.applied)
	w.applied = make(chan struct{})
	w.shared.Pipelines = w.shared.Pipelines[:0]
	dropped := int64(w.state.count.Shed + w.state.count.Overflows)
	for _, p := range w.state.order {
		dropped += p.cloud.TooLate() + p.cloud.Rejects()
		w.shared.take(p)
		w.shared.Pipelines = append(w.shared.Pipelines, PipelineView{
			ID: p.key.id, Version: p.key.version, Name: p.plan.Pipeline,
			Watermark: p.root().fire, Reference: p.root().reference, Fired: p.cloud.Fired(), TooLate: p.cloud.TooLate(), Rejects: p.cloud.Rejects(),
		})
	}
	w.mu.Unlock()
	w.tellDropped(dropped)
}

// take copies the agents and lanes of a pipeline that have changed.
func (s *Shared) take(p *pipeline) {
	for _, k := range p.roster.gone {
		delete(s.Lanes, k)
	}
	for _, a := range p.roster.untold {
		m := MemberView{Heard: len(a.lanes) > 0, Removed: a.removed, Away: true, Passed: true, Ended: len(a.lanes) > 0}
		if !m.Heard {
			m.Passed = a.absence == passed
		}
		for i, l := range a.lanes {
			s.Lanes[l.key] = LaneView{Last: l.last, Sum: l.sum, Watermark: l.watermark, Idle: l.idle, Away: l.absence != present}
			if l.ended() {
				continue
			}
			ab := a.absenceOf(i)
			m.Ended, m.Away, m.Passed = false, m.Away && ab != present, m.Passed && ab == passed
		}
		s.Members[MemberKey{p.key.id, a.version, a.id}] = m
		a.untold = false
	}
	p.roster.untold, p.roster.gone = p.roster.untold[:0], p.roster.gone[:0]
}

// tellEvery bounds how often drops are logged.
const tellEvery = time.Minute

// tellDropped logs that rows were dropped, now and then.
func (w *Worker) tellDropped(dropped int64) {
	if dropped <= w.dropped || time.Since(w.toldAt) < tellEvery {
		return
	}
	c := w.state.count
	w.cfg.Log.Warn("rows were dropped: they came for windows that are forgotten, or an expression or function failed on them, or windows held too much; see the counters",
		"partition", w.cfg.Partition, "rows", dropped-w.dropped, "forgotten_early", c.Shed, "overflows", c.Overflows)
	w.dropped, w.toldAt = dropped, time.Now()
}

func sortAgents(a []*AgentEpoch) {
	slices.SortFunc(a, func(x, y *AgentEpoch) int { return cmp.Compare(x.Agent, y.Agent) })
}
