package checkpoint

import "fmt"

// request is a batch on its way to the writer.
type request struct {
	batch *Batch
	drop  string     // a stream to drop; such a request has no batch content
	done  chan error // buffered, so that the writer never waits
}

// placed is a record of the group in hand, and then its place.
type placed struct {
	stream *Stream
	kind   Kind
	seq    uint64
	sum    uint32
	data   []byte
	loc    loc
	moved  bool // a copy of a record that is already committed
}

// plan is what the next group will change. Only the writer touches it.
type plan struct {
	requests   []*request
	records    []placed
	rows       map[*Stream]row
	touched    map[*Stream]row // of the request being staged
	dropped    *Stream
	bytes      int64
	lastStream uint32
	newStreams int
}

func (p *plan) reset(lastStream uint32) {
	clear(p.records) // lets go of the callers' data
	p.requests, p.records = p.requests[:0], p.records[:0]
	if p.rows == nil {
		p.rows, p.touched = map[*Stream]row{}, map[*Stream]row{}
	}
	clear(p.rows)
	clear(p.touched)
	p.dropped, p.bytes, p.lastStream, p.newStreams = nil, 0, lastStream, 0
}

// check refuses what no store can take. It needs no lock.
func check(b *Batch) error {
	for i := range b.Records {
		r := &b.Records[i]
		switch {
		case r.Kind != Frame && r.Kind != State:
			return fmt.Errorf("checkpoint: BUG: record %d of stream %q has the unknown kind %d", i, r.Stream, r.Kind)
		case r.Stream == "" || len(r.Stream) > MaxKeyBytes:
			return fmt.Errorf("%w: record %d has a stream name of %d bytes, expected 1 to %d", ErrTooLarge, i, len(r.Stream), MaxKeyBytes)
		case len(r.Data) > MaxRecordBytes:
			return fmt.Errorf("%w: record %d of stream %q has %d bytes, at most %d are possible", ErrTooLarge, i, r.Stream, len(r.Data), MaxRecordBytes)
		}
	}
	for i := range b.Puts {
		e := &b.Puts[i]
		switch {
		case e.Key == "" || len(e.Key) > MaxKeyBytes:
			return fmt.Errorf("%w: entry %d has a key of %d bytes, expected 1 to %d", ErrTooLarge, i, len(e.Key), MaxKeyBytes)
		case len(e.Value) > MaxValueBytes:
			return fmt.Errorf("%w: the value of %q has %d bytes, at most %d are possible", ErrTooLarge, e.Key, len(e.Value), MaxValueBytes)
		}
	}
	return nil
}

// need is what a batch takes of the outbox.
func need(b *Batch, segmentBytes int64) int64 {
	if len(b.Records) == 0 {
		return 0
	}
	var n int64
	for i := range b.Records {
		n += recordBytes(len(b.Records[i].Data))
	}
	return n + (n/segmentBytes+2)*segmentHeaderBytes
}

// stage adds a request to the group, whole or, with an error, not at all.
func (s *Store) stage(r *request) error {
	p := &s.plan
	clear(p.touched)
	start, lastStream, newStreams := len(p.records), p.lastStream, p.newStreams
	for i := range r.batch.Records {
		if err := s.stageRecord(&r.batch.Records[i]); err != nil {
			clear(p.records[start:])
			p.records, p.lastStream, p.newStreams = p.records[:start], lastStream, newStreams
			return err
		}
	}
	for st, row := range p.touched {
		p.rows[st] = row
	}
	p.bytes += need(r.batch, s.cfg.SegmentBytes)
	p.requests = append(p.requests, r)
	return nil
}

func (s *Store) stageRecord(r *Record) error {
	p := &s.plan
	st := s.Stream(r.Stream)
	row, ok := p.touched[st]
	if !ok {
		if row, ok = p.rows[st]; !ok {
			row = st.committed()
		}
	}
	if row.id == 0 {
		if s.streamCount()+p.newStreams >= MaxStreams {
			return fmt.Errorf("%w: there are %d streams, stream %q would be one too many; drop the streams of deleted pipelines", ErrTooLarge, MaxStreams, r.Stream)
		}
		p.lastStream++
		p.newStreams++
		row.id = p.lastStream
	}
	rec := placed{stream: st, kind: r.Kind, data: r.Data, sum: Checksum(r.Data)}
	if r.Kind == Frame {
		if r.Seq != row.next {
			return fmt.Errorf("%w: frame %d of stream %q, expected %d", ErrSequence, r.Seq, r.Stream, row.next)
		}
		rec.seq = r.Seq
		row.next++
		row.sum = rec.sum
		row.stateFirst = row.stateNext
	} else {
		rec.seq = row.stateNext
		row.stateNext++
	}
	p.touched[st] = row
	p.records = append(p.records, rec)
	return nil
}

// stageAcks adds the acknowledgements that are not durable yet.
func (s *Store) stageAcks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.unsaved {
		if st == s.plan.dropped {
			continue
		}
		row, ok := s.plan.rows[st]
		if !ok {
			row = st.row
		}
		row.first = st.acked
		s.plan.rows[st] = row
	}
}
