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

// Fragments makes the engine for a plan; the worker has filled the config with
// what it answers for itself, functions are missing.
type Fragments func(p *plan.Plan, cfg engine.CloudConfig) (*engine.Cloud, error)

// pipelineKey names a pipeline version.
type pipelineKey struct {
	id      string
	version uint64
}

// pipeline is the state of one pipeline version.
type pipeline struct {
	key       pipelineKey
	plan      *plan.Plan
	cloud     *engine.Cloud
	roster    *roster
	allowed   [2]int64 // fire and keep as the roster gave them last
	fire      int64    // acted on; never falls
	keep      int64    // likewise
	reference int64    // the highest fire watermark that is a time: the final one of a source that has ended is not
	dirty     bool

	into  *pipeline // the version that took over its windows; nil = none
	moved *moved    // how
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
	Lanes      uint64 // entries of a second lane where a pipeline keeps one
	Shed       uint64 // times that windows were forgotten before their time, as there were too many
	Overflows  uint64 // sections of rows that were dropped, as windows that have not ended held too much
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
	restoring bool // checkpoints are being restored
	needsFull bool // the next checkpoint must be a full one
	maxStates int  // of a pipeline version's windows
}

// maxStates bounds what the windows of a pipeline version hold in a partition while they wait for agents that are AWAY.
// It is no setting: a replay must find the same bound.
const maxStates = 4 << 20

func newState(partition int, plans Plans, fragments Fragments) *state {
	return &state{
		partition: partition, plans: plans, fragments: fragments, out: newResults(), limits: restoreLimits(),
		pipelines: map[pipelineKey]*pipeline{}, agents: map[string]uint64{}, maxStates: maxStates,
	}
}

// apply takes the record at offset. Results gather in s.out. An error means
// that the worker cannot go on; a bad entry is counted and passed over.
func (s *state) apply(offset uint64, r *record.Record) error {
	s.offset, s.checksum = offset, r.Checksum
	s.count.Records++
	s.out.lateLeft = maxLate
	switch r.Kind {
	case record.KindEpoch:
		s.owner = max(s.owner, r.Writer)
		return nil
	case record.KindMembership:
		if r.Writer < s.owner {
			break
		}
		for i := range r.Members {
			if err := s.applyMember(&r.Members[i]); err != nil {
				return err
			}
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

// applyMember acts on a statement of a membership record.
func (s *state) applyMember(m *record.Member) error {
	if m.Pipeline == "" {
		for _, p := range s.order {
			p.markIf(p.roster.set(agentKey{m.Agent, p.key.version}, m.State))
		}
		return nil
	}
	p := s.pipelines[pipelineKey{m.Pipeline, m.Version}]
	if p == nil {
		if m.State != record.Expected {
			return nil
		}
		var err error
		if p, err = s.pipeline(pipelineKey{m.Pipeline, m.Version}); err != nil {
			return orphan(err)
		}
	}
	p.markIf(p.roster.set(agentKey{m.Agent, m.Version}, m.State))
	return nil
}

// markIf says that watermarks may have changed.
func (p *pipeline) markIf(changed bool) {
	r := p.root()
	r.dirty = r.dirty || changed
}

// orphan forgives that a pipeline was deleted.
func orphan(err error) error {
	if errors.Is(err, ErrNoPlan) {
		return nil
	}
	return err
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
	if !s.admit(p, key, e) {
		return nil
	}
	if e.Epoch > s.agents[e.Agent] {
		s.agents[e.Agent] = e.Epoch
		s.fence(e.Agent)
	}
	if err := s.applyPayload(p, e); err != nil {
		return err
	}
	p.roster.advance(key, e)
	p.markIf(true)
	return nil
}

// admit tells whether an entry is the next one of its lane, and counts why not.
func (s *state) admit(p *pipeline, key LaneKey, e *record.Entry) bool {
	l := p.roster.lane(key)
	if l == nil {
		l = new(lane)
		if p.plan.OneLane && p.roster.hasOtherLane(key) {
			s.count.Lanes++
			return false
		}
	}
	switch l.judge(e) {
	case duplicate:
		s.count.Duplicates++
	case gap:
		s.count.Gaps++
	case mismatch:
		s.count.Mismatches++
	default:
		return true
	}
	return false
}

// fence drops the lanes that an agent had with an older store.
func (s *state) fence(id string) {
	for _, p := range s.order {
		p.markIf(p.roster.fence(agentKey{id, p.key.version}, s.agents[id]))
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
		to, port, b := p.route(sec.Port, sec.Batch)
		if to == nil {
			s.count.Orphans++ // a window that the newer version does not have
			continue
		}
		err := to.cloud.Apply(port, b)
		if errors.Is(err, window.ErrFull) {
			s.count.Overflows++ // nothing of the section was taken; stopping would hold up all pipelines
			continue
		}
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
	var before *pipeline
	if pl.TakesOver != 0 && pl.TakesOver < k.version {
		if before, err = s.pipeline(pipelineKey{k.id, pl.TakesOver}); err != nil && !errors.Is(err, ErrNoPlan) {
			return nil, err
		}
	}
	const none = record.NoWatermark
	p := &pipeline{
		key: k, plan: pl, roster: newRoster(pl.MaxLagMicros, pl.AwayQuorum), dirty: true,
		allowed: [2]int64{none, none}, fire: none, keep: none, reference: none,
	}
	if err := s.makeCloud(p); err != nil {
		return nil, err
	}
	if before != nil && before.into == nil {
		if err := s.takeOver(p, before); err != nil {
			return nil, errors.Join(fmt.Errorf("partition %d, pipeline %s: state of version %d in version %d: %w", s.partition, k.id, before.key.version, k.version, err), p.cloud.Close())
		}
	}
	s.pipelines[k] = p
	s.order = append(s.order, p)
	return p, nil
}

// makeCloud gives a pipeline an empty fragment.
func (s *state) makeCloud(p *pipeline) (err error) {
	p.cloud, err = s.fragments(p.plan, engine.CloudConfig{
		Sink: func(n *plan.Node, schema batch.Schema, b *batch.Batch) error {
			s.count.Results += uint64(b.Len())
			return s.out.add(n, schema, b)
		},
		Completeness: func(end int64) (seen, expected int64) { return p.roster.completeness(end) },
		TooLate:      func(n *plan.Node, b *batch.Batch) { s.out.late(p, n, b) },
	})
	if err != nil {
		return fmt.Errorf("partition %d: %w", s.partition, err)
	}
	return nil
}

// advance fires what the pipeline's lanes allow.
func (s *state) advance(p *pipeline) error {
	if !p.dirty || p.into != nil {
		return nil
	}
	p.dirty = false
	if !p.roster.calm {
		p.allowed[0], p.allowed[1] = p.roster.watermarks()
	}
	p.raise(p.allowed[0], p.allowed[1])
	if p.fire == record.NoWatermark {
		return nil
	}
	s.out.windows(p.plan)
	if err := s.fire(p); err != nil {
		return fmt.Errorf("partition %d, pipeline %s version %d: %w", s.partition, p.key.id, p.key.version, err)
	}
	return nil
}

// fire advances the fragment. Where its windows hold too many states, those that were
// done first are forgotten before the plan's keep is used up: half of the time that they reach back, and again.
func (s *state) fire(p *pipeline) error {
	if err := p.cloud.Advance(p.fire, p.keep); err != nil {
		return err
	}
	if p.reference == record.NoWatermark {
		return nil
	}
	back := int64(365 * 86_400_000_000)
	if p.keep != record.NoWatermark {
		back = min(back, p.reference-p.keep)
	}
	for ; p.cloud.States() > s.maxStates && back > 0; back /= 2 {
		s.count.Shed++
		p.keep = max(p.keep, min(p.reference-back/2, p.fire))
		if err := p.cloud.Advance(p.fire, p.keep); err != nil {
			return err
		}
	}
	return nil
}

// raise takes the watermarks that the roster allows. Beyond the plan's keep, state waits for no one.
func (p *pipeline) raise(fire, keep int64) {
	p.fire = max(p.fire, fire)
	if fire < engine.EndOfTime {
		p.reference = max(p.reference, fire)
	}
	if limit := p.plan.KeepMicros; limit > 0 && p.reference != record.NoWatermark {
		keep = max(keep, p.reference-limit)
	}
	p.keep = max(p.keep, min(keep, p.fire))
}

// close frees what the pipelines hold.
func (s *state) close() error {
	var errs []error
	for _, p := range s.order {
		errs = append(errs, p.cloud.Close())
	}
	return errors.Join(errs...)
}
