package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	cloudlog "github.com/leatio/leat/cloud/log"
	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/transport/wire/columnar"
)

// CheckpointFormat is the newest format of checkpoint objects and manifests
// that this build reads and the one it writes.
const CheckpointFormat = 1

// ErrCheckpoint says that a stored checkpoint cannot be read.
var ErrCheckpoint = errors.New("checkpoint cannot be read")

const envelopeBytes = 8

// AppendEnvelope appends a message in its envelope: 'L' 'C', u8 format, u8 0,
// u32 CRC32C of the message, the message.
func AppendEnvelope(dst []byte, m pb.Message) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 'L', 'C', CheckpointFormat, 0, 0, 0, 0, 0)
	dst, err := pb.Append(dst, m)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	sum := crc32.Checksum(dst[start+envelopeBytes:], crc32.MakeTable(crc32.Castagnoli))
	binary.LittleEndian.PutUint32(dst[start+4:], sum)
	return dst, nil
}

// ParseEnvelope reads a message in its envelope.
func ParseEnvelope(src []byte, m pb.Message) error {
	if len(src) < envelopeBytes || src[0] != 'L' || src[1] != 'C' || src[3] != 0 {
		return fmt.Errorf("%w: no header", ErrCheckpoint)
	}
	if src[2] > CheckpointFormat {
		return fmt.Errorf("%w: its format is %d, this build reads up to %d", ErrCheckpoint, src[2], CheckpointFormat)
	}
	body := src[envelopeBytes:]
	if got, want := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)), binary.LittleEndian.Uint32(src[4:]); got != want {
		return fmt.Errorf("%w: checksum is %08x, header says %08x", ErrCheckpoint, got, want)
	}
	if err := pb.Unmarshal(body, m); err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return nil
}

// snapshot gives the state, or what changed since the last snapshot.
func (s *state) snapshot(full bool) (*Checkpoint, error) {
	c := &Checkpoint{
		Format: CheckpointFormat, Partition: uint32(s.partition), OwnerEpoch: s.owner,
		Offset: s.offset, RecordChecksum: s.checksum, Full: full,
	}
	s.needsFull = s.needsFull && !full
	for _, p := range s.order {
		ps := &PipelineState{Pipeline: p.key.id, Version: p.key.version}
		if p.fire != record.NoWatermark {
			ps.Fire, ps.HasFire = p.fire, true
		}
		if p.keep != record.NoWatermark {
			ps.Keep, ps.HasKeep = p.keep, true
		}
		if p.reference != record.NoWatermark {
			ps.Reference, ps.HasReference = p.reference, true
		}
		p.appendAgents(c, full)
		if p.into != nil {
			c.Pipelines = append(c.Pipelines, ps)
			continue // another version has its state
		}
		err := p.cloud.Changes(full, func(section uint32, b *batch.Batch) error {
			schema := p.cloud.StateSection(section).Schema
			payload := columnar.AppendPayload(nil, []columnar.Section{{Port: section, Batch: b}}, func(uint32) batch.Schema { return schema })
			ps.Sections = append(ps.Sections, &Section{Index: section, Payload: payload})
			return nil
		})
		if err != nil {
			return nil, err
		}
		c.Pipelines = append(c.Pipelines, ps)
	}
	for agent, epoch := range s.agents {
		c.Agents = append(c.Agents, &AgentEpoch{Agent: agent, Epoch: epoch})
	}
	sortAgents(c.Agents)
	return c, nil
}

// appendAgents adds the agents and lanes that changed, or all.
func (p *pipeline) appendAgents(c *Checkpoint, full bool) {
	for _, k := range p.roster.keys() {
		if k.version != p.key.version {
			continue // another pipeline version says it
		}
		a := p.roster.agents[k]
		for _, l := range a.lanes {
			if full || l.dirty {
				c.Lanes = append(c.Lanes, laneProto(l))
			}
			l.dirty = false
		}
		implied := full && len(a.lanes) > 0 && !a.removed
		if (full || a.dirty) && !implied {
			c.Members = append(c.Members, &Member{
				Agent: k.id, Pipeline: p.key.id, Version: k.version, Passed: a.absence == passed, Removed: a.removed,
			})
		}
		a.dirty = false
	}
}

func laneProto(l *lane) *Lane {
	k := l.key
	p := &Lane{
		Agent: k.Agent, Epoch: k.Epoch, Pipeline: k.Pipeline, Version: k.Version, Lane: k.Lane,
		Last: l.last, Sum: l.sum, Idle: l.idle, Away: l.absence == passed, Waited: l.absence == away,
	}
	if l.watermark != record.NoWatermark {
		p.Watermark, p.HasWatermark = l.watermark, true
	}
	return p
}

func (p *pipeline) restoreLane(l *Lane) {
	a := p.roster.get(agentKey{l.Agent, l.Version})
	in := a.add(LaneKey{l.Agent, l.Epoch, l.Pipeline, l.Version, l.Lane})
	*in = lane{key: in.key, last: l.Last, sum: l.Sum, watermark: record.NoWatermark, idle: l.Idle}
	switch {
	case l.Away:
		in.absence = passed
	case l.Waited:
		in.absence = away
	}
	if l.HasWatermark {
		in.watermark = l.Watermark
	}
	p.roster.touch(a)
}

func (p *pipeline) restoreMember(m *Member) {
	a := p.roster.get(agentKey{m.Agent, m.Version})
	a.absence, a.removed = away, m.Removed
	if m.Passed {
		a.absence = passed
	}
	p.roster.touch(a)
}

// restoreLimits are wide: checkpoints are our own and bear checksums.
func restoreLimits() columnar.Limits {
	return columnar.Limits{MaxRows: math.MaxInt32, MaxBytes: 4 << 30}
}

// restore takes in a checkpoint object: a full one into an empty state, a
// delta into the state of the object before it.
func (s *state) restore(c *Checkpoint) error {
	if int(c.Partition) != s.partition {
		return fmt.Errorf("%w: it is of partition %d", ErrCheckpoint, c.Partition)
	}
	s.restoring = true
	defer func() { s.restoring = false }()
	s.offset, s.checksum, s.owner = c.Offset, c.RecordChecksum, max(s.owner, c.OwnerEpoch)
	for _, a := range c.Agents {
		s.agents[a.Agent] = a.Epoch
	}
	for _, ps := range c.Pipelines {
		if err := s.restorePipeline(ps); err != nil {
			return err
		}
	}
	for _, l := range c.Lanes {
		if p := s.pipelines[pipelineKey{l.Pipeline, l.Version}]; p != nil { // else it was deleted since
			p.restoreLane(l)
		}
	}
	for _, m := range c.Members {
		if p := s.pipelines[pipelineKey{m.Pipeline, m.Version}]; p != nil {
			p.restoreMember(m)
		}
	}
	return nil
}

func (s *state) restorePipeline(ps *PipelineState) error {
	p, err := s.pipeline(pipelineKey{ps.Pipeline, ps.Version})
	if errors.Is(err, ErrNoPlan) {
		return nil
	}
	if err != nil {
		return err
	}
	if ps.HasFire {
		p.fire = ps.Fire
	}
	if ps.HasKeep {
		p.keep = ps.Keep
	}
	if ps.HasReference {
		p.reference = ps.Reference
	}
	for _, sec := range ps.Sections {
		schema := p.cloud.StateSection(sec.Index).Schema
		if schema == nil {
			return fmt.Errorf("%w: pipeline %s has no state %d", ErrCheckpoint, ps.Pipeline, sec.Index)
		}
		got, err := columnar.DecodePayload(sec.Payload, func(uint32) batch.Schema { return schema }, s.limits)
		if err != nil {
			return fmt.Errorf("%w: pipeline %s: %w", ErrCheckpoint, ps.Pipeline, err)
		}
		for _, g := range got {
			if err := p.cloud.RestoreState(sec.Index, g.Batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// resume follows the last restore: what had been forgotten is forgotten again.
func (s *state) resume() {
	for id := range s.agents {
		s.fence(id)
	}
	for _, p := range s.order {
		p.cloud.Resume(p.fire, p.keep)
	}
}

// store writes checkpoint objects and the manifest that makes them count.
type store struct {
	partition int
	keys      cloudlog.Keys
	objects   cloudlog.Objects
	manifest  *Manifest
	revision  uint64 // of the manifest's key; 0 = there is none
}

func (s *store) key() string { return fmt.Sprintf("checkpoints/%04d", s.partition) }

// load reads the manifest; a missing one is an empty one.
func (s *store) load(ctx context.Context) error {
	s.manifest = &Manifest{Format: CheckpointFormat, Partition: uint32(s.partition)}
	value, revision, err := s.keys.Get(ctx, s.key())
	if errors.Is(err, cloudlog.ErrNotFound) {
		return nil
	}
	stored := new(Manifest)
	if err == nil {
		err = ParseEnvelope(value, stored)
	}
	if err == nil && stored.Partition != s.manifest.Partition {
		err = fmt.Errorf("%w: it is of partition %d", ErrCheckpoint, stored.Partition)
	}
	if err != nil {
		return fmt.Errorf("partition %d: read manifest: %w", s.partition, err)
	}
	s.manifest, s.revision = stored, revision
	return nil
}

// claim takes the partition: the manifest's owner epoch rises, by compare-and-set.
func (s *store) claim(ctx context.Context) (epoch uint64, err error) {
	if err := s.load(ctx); err != nil {
		return 0, err
	}
	next := pb.Clone(s.manifest)
	next.OwnerEpoch++
	if err := s.put(ctx, next); err != nil {
		return 0, err
	}
	return next.OwnerEpoch, s.collect(ctx)
}

// collect deletes the objects that the manifest does not name: what owners
// left who died between an object and the manifest.
func (s *store) collect(ctx context.Context) error {
	names, err := s.objects.ListObjects(ctx, s.key()+"/")
	if err != nil {
		return fmt.Errorf("partition %d: list checkpoints: %w", s.partition, err)
	}
	for _, name := range names {
		if slices.ContainsFunc(s.manifest.Objects, func(o *ObjectRef) bool { return o.Name == name }) {
			continue
		}
		if err := s.objects.DeleteObject(ctx, name); err != nil {
			return fmt.Errorf("partition %d: delete a checkpoint that nothing names: %w", s.partition, err)
		}
	}
	return nil
}

func (s *store) put(ctx context.Context, m *Manifest) error {
	b, err := AppendEnvelope(nil, m)
	if err != nil {
		return err
	}
	revision, err := s.keys.Put(ctx, s.key(), b, s.revision)
	if err != nil {
		return fmt.Errorf("partition %d: write manifest as owner %d: %w", s.partition, m.OwnerEpoch, err)
	}
	s.manifest, s.revision = m, revision
	return nil
}

// Bounds of a chain of deltas before the next full object.
const maxDeltas = 32

// wantsFull tells whether the next object should be a full one.
func (s *store) wantsFull() bool {
	var full, deltas uint64
	n := 0
	for _, o := range s.manifest.Objects {
		if o.Full {
			full, deltas, n = o.Bytes, 0, 0
			continue
		}
		deltas += o.Bytes
		n++
	}
	return len(s.manifest.Objects) == 0 || n >= maxDeltas || deltas > 2*full+64<<10
}

// publish writes the object and makes it count. What the manifest no longer
// names is deleted afterwards.
func (s *store) publish(ctx context.Context, c *Checkpoint) error {
	data, err := AppendEnvelope(nil, c)
	if err != nil {
		return err
	}
	next := pb.Clone(s.manifest)
	name := fmt.Sprintf("%s/%d-%d", s.key(), s.manifest.OwnerEpoch, next.NextObject)
	next.NextObject++
	if err := s.objects.PutObject(ctx, name, data); err != nil {
		return fmt.Errorf("partition %d: write checkpoint: %w", s.partition, err)
	}
	if n := len(next.Objects); n > 0 {
		next.TrimBelow = next.Objects[n-1].Offset
	}
	var old []*ObjectRef
	if c.Full {
		old, next.Objects = next.Objects, nil
	}
	next.Objects = append(next.Objects, &ObjectRef{Name: name, Offset: c.Offset, Bytes: uint64(len(data)), Full: c.Full})
	if err := s.put(ctx, next); err != nil {
		return err
	}
	for _, o := range old {
		if err := s.objects.DeleteObject(ctx, o.Name); err != nil {
			return fmt.Errorf("partition %d: delete old checkpoint: %w", s.partition, err)
		}
	}
	return nil
}
