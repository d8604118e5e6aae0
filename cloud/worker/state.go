package worker

import (
	"errors"
	"fmt"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/window"
	"github.com/leatio/leat/transport/wire/columnar"
)

// Plans gives the plan of a pipeline version; it never changes once given.
// ErrNoPlan says that the pipeline was deleted.
type Plans interface {
	Plan(pipeline string, version uint64) (*plan.Plan, error)
}

// ErrNoPlan says that there is no such pipeline version.
var ErrNoPlan = errors.New("no such pipeline version")

// Fragments makes the engine for a plan.
type Fragments func(p *plan.Plan, sink engine.SinkFunc) (*engine.Cloud, error)

// pipelineKey names a pipeline version.
type pipelineKey struct {
	id      string
	version uint64
}

// pipeline is the state of one pipeline version.
type pipeline struct {
	key        pipelineKey
	plan       *plan.Plan
	cloud      *engine.Cloud
	lanes      laneSet
	fire, keep int64
	dirty      bool
}

// Counters count what a worker met. They describe this run, not the state.
type Counters struct {
	Records    uint64
	Entries    uint64
	Rows       uint64
	Duplicates uint64 // entries dropped by the sequence rule
	Gaps       uint64 // entries refused: numbers are missing
	Mismatches uint64 // entries refused: the frame before differs
	Fenced     uint64 // entries of a lower store epoch
	Orphans    uint64 // entries of pipelines that were deleted
	Undecoded  uint64 // entries whose payload could not be read
	Results    uint64 // window results and rows given to sinks
}

// state is what a partition's log makes of nothing: a function of the records alone.
type state struct {
	partition int
	plans     Plans
	fragments Fragments
	out       *results
	limits    columnar.Limits // of checkpoints

	owner     uint64 // epoch of the owner
	offset    uint64 // of the last record applied
	checksum  uint32 // of that record
	pipelines map[pipelineKey]*pipeline
	order     []*pipeline // in order of first sight in the log
	agents    map[string]uint64
	count     Counters
}

func newState(partition int, plans Plans, fragments Fragments) *state {
	return &state{
		partition: partition, plans: plans, fragments: fragments, out: newResults(), limits: restoreLimits(),
		pipelines: map[pipelineKey]*pipeline{}, agents: map[string]uint64{},
	}
}

// apply takes the record at offset. Results gather in s.out. An error means
// that the worker cannot go on; a bad entry is counted and passed over.
func (s *state) apply(offset uint64, r *record.Record) error {
	s.offset, s.checksum = offset, r.Checksum
	s.count.Records++
	switch r.Kind {
	case record.KindEpoch:
		s.owner = max(s.owner, r.Writer)
		return nil
	case record.KindMembership:
		if r.Writer >= s.owner {
			s.setAway(r.Agent)
		}
	case record.KindBundle:
		for i := range r.Entries {
			if err := s.applyEntry(&r.Entries[i]); err != nil {
				return err
			}
		}
	}
	for _, p := range s.order {
		if err := s.advance(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) setAway(agent string) {
	for _, p := range s.order {
		for k, l := range p.lanes {
			if k.Agent == agent && !l.away {
				l.away, l.dirty, p.dirty = true, true, true
			}
		}
	}
}

func (s *state) applyEntry(e *record.Entry) error {
	s.count.Entries++
	if e.Epoch < s.agents[e.Agent] {
		s.count.Fenced++
		return nil
	}
	p, err := s.pipeline(pipelineKey{e.Pipeline, e.Version})
	if errors.Is(err, ErrNoPlan) {
		s.count.Orphans++
		return nil
	}
	if err != nil {
		return err
	}
	key := LaneKey{e.Agent, e.Epoch, e.Pipeline, e.Version, e.Lane}
	l := p.lanes.get(key)
	switch l.judge(e) {
	case duplicate:
		s.count.Duplicates++
		return nil
	case gap:
		s.count.Gaps++
		return nil
	case mismatch:
		s.count.Mismatches++
		return nil
	}
	if e.Epoch > s.agents[e.Agent] {
		s.agents[e.Agent] = e.Epoch
		s.forgetOldEpochs()
	}
	if err := s.applyPayload(p, e); err != nil {
		return err
	}
	l.advance(e)
	p.dirty = true
	return nil
}

// forgetOldEpochs drops the lanes of agents that came back with a new store: nothing
// of them is taken any more, so they must not hold up watermarks.
func (s *state) forgetOldEpochs() {
	for _, p := range s.order {
		for k := range p.lanes {
			if k.Epoch < s.agents[k.Agent] {
				delete(p.lanes, k)
				p.dirty = true
			}
		}
	}
}

// applyPayload gives the entry's rows to the pipeline's fragment, before its watermark counts.
func (s *state) applyPayload(p *pipeline, e *record.Entry) error {
	if len(e.Payload) == 0 {
		return nil
	}
	schemas := func(port uint32) batch.Schema { return engine.PortSchema(p.plan, port) }
	sections, err := columnar.DecodePayload(e.Payload, schemas, columnar.Limits{})
	if err != nil {
		// The gateway decoded it before it was appended, so this is damage that no
		// checksum saw, or an agent that lies; the lane goes on without it.
		s.count.Undecoded++
		return nil
	}
	s.out.from(p.plan, s.partition, e)
	for _, sec := range sections {
		s.count.Rows += uint64(sec.Batch.Len())
		if sec.Port == engine.RejectsPort {
			s.out.rejects(sec.Batch)
			continue
		}
		err := p.cloud.Apply(sec.Port, sec.Batch)
		if errors.Is(err, window.ErrBatch) {
			s.count.Undecoded++ // as above: nothing of the section was taken
			continue
		}
		if err != nil {
			return fmt.Errorf("partition %d, pipeline %s version %d: %w", s.partition, p.key.id, p.key.version, err)
		}
	}
	return nil
}

// pipeline gives the state of a pipeline version, made on first sight.
func (s *state) pipeline(k pipelineKey) (*pipeline, error) {
	if p := s.pipelines[k]; p != nil {
		return p, nil
	}
	pl, err := s.plans.Plan(k.id, k.version)
	if err != nil {
		return nil, fmt.Errorf("partition %d, pipeline %s version %d: %w", s.partition, k.id, k.version, err)
	}
	p := &pipeline{key: k, plan: pl, lanes: laneSet{}, fire: record.NoWatermark, keep: record.NoWatermark, dirty: true}
	p.cloud, err = s.fragments(pl, func(n *plan.Node, schema batch.Schema, b *batch.Batch) error {
		s.count.Results += uint64(b.Len())
		return s.out.add(n, schema, b)
	})
	if err != nil {
		return nil, fmt.Errorf("partition %d: %w", s.partition, err)
	}
	s.pipelines[k] = p
	s.order = append(s.order, p)
	return p, nil
}

// advance fires what the pipeline's lanes allow.
func (s *state) advance(p *pipeline) error {
	if !p.dirty {
		return nil
	}
	p.dirty = false
	fire, keep := p.lanes.watermarks()
	if limit := p.plan.KeepMicros; limit > 0 && fire != record.NoWatermark {
		keep = max(keep, fire-limit)
	}
	p.fire = max(p.fire, fire)
	p.keep = max(p.keep, min(keep, p.fire))
	if p.fire == record.NoWatermark {
		return nil
	}
	s.out.windows(p.plan)
	if err := p.cloud.Advance(p.fire, p.keep); err != nil {
		return fmt.Errorf("partition %d, pipeline %s version %d: %w", s.partition, p.key.id, p.key.version, err)
	}
	return nil
}

// close frees what the pipelines hold.
func (s *state) close() error {
	var errs []error
	for _, p := range s.order {
		errs = append(errs, p.cloud.Close())
	}
	return errors.Join(errs...)
}
