package memory

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/leatio/leat/cloud/log"
)

func (p *partition) next() uint64 { return p.first + uint64(len(p.records)) }

func (p *partition) add(record []byte) {
	p.records = append(p.records, append([]byte{}, record...))
	p.bytes += len(record)
}

func (p *partition) wake() {
	close(p.grown)
	p.grown = make(chan struct{})
}

// part is called under the lock.
func (s *Store) part(n int) (*partition, error) {
	if n < 0 || n >= len(s.parts) {
		return nil, fmt.Errorf("%w: %d, there are 0 to %d", log.ErrNoPartition, n, len(s.parts)-1)
	}
	return &s.parts[n], nil
}

// Append adds a record to a partition; see log.Log.
func (s *Store) Append(ctx context.Context, partition int, record []byte) (offset uint64, err error) {
	err = s.change(ctx, Call{Op: OpAppend, Partition: partition}, func(late bool) error {
		p, err := s.part(partition)
		if err != nil {
			return err
		}
		if len(record) > s.cfg.MaxRecordBytes {
			return fmt.Errorf("%w: a record of %d bytes, at most %d are allowed", log.ErrTooLarge, len(record), s.cfg.MaxRecordBytes)
		}
		if p.bytes+len(record) > s.cfg.PartitionBytes {
			return log.ErrFull
		}
		if late {
			p.late = append(p.late, bytes.Clone(record))
			return nil
		}
		offset = p.next()
		p.add(record)
		for _, l := range p.late {
			p.add(l)
		}
		p.late = nil
		p.wake()
		return nil
	})
	if err != nil {
		return 0, wrap(err, "append to partition %d", partition)
	}
	return offset, nil
}

// Bounds gives the first offset and the next one; see log.Log.
func (s *Store) Bounds(ctx context.Context, partition int) (first, next uint64, err error) {
	err = s.view(ctx, func() error {
		p, err := s.part(partition)
		if err != nil {
			return err
		}
		first, next = p.first, p.next()
		return nil
	})
	return first, next, wrap(err, "bounds of partition %d", partition)
}

// Trim removes the records below an offset, except the newest one; see log.Log.
func (s *Store) Trim(ctx context.Context, partition int, below uint64) error {
	err := s.change(ctx, Call{Op: OpTrim, Partition: partition}, func(bool) error {
		p, err := s.part(partition)
		if err != nil {
			return err
		}
		below = min(below, p.next()-1)
		for p.first < below {
			p.bytes -= len(p.records[0])
			p.records[0] = nil
			p.records = p.records[1:]
			p.first++
		}
		p.wake()
		return nil
	})
	return wrap(err, "trim partition %d below %d", partition, below)
}

// Read opens a reader; see log.Log.
func (s *Store) Read(ctx context.Context, partition int, from uint64) (log.Reader, error) {
	first, next, err := s.Bounds(ctx, partition)
	switch {
	case err != nil:
		return nil, fmt.Errorf("log: read: %w", err)
	case from < first:
		return nil, fmt.Errorf("log: read partition %d from %d: %w, the first one is %d", partition, from, log.ErrTrimmed, first)
	case from > next:
		return nil, fmt.Errorf("log: read partition %d from %d: %w, the next one is %d", partition, from, log.ErrBeyond, next)
	}
	return &reader{s: s, partition: partition, next: from, closed: make(chan struct{})}, nil
}

type reader struct {
	s         *Store
	partition int
	closed    chan struct{}
	closeOnce sync.Once

	next uint64 // owned by the caller of Next
}

// Next gives the next record; see log.Reader.
func (r *reader) Next(ctx context.Context) (uint64, []byte, error) {
	for {
		record, grown, err := r.look(ctx)
		if err != nil {
			return 0, nil, r.fail(err)
		}
		if grown == nil {
			r.next++
			return r.next - 1, record, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return 0, nil, r.fail(ctx.Err())
		case <-r.closed:
			return 0, nil, r.fail(log.ErrClosed)
		case <-r.s.done:
			return 0, nil, r.fail(log.ErrClosed)
		}
	}
}

// look gives the next record, or what to wait for.
func (r *reader) look(ctx context.Context) (record []byte, grown <-chan struct{}, err error) {
	select {
	case <-r.closed:
		return nil, nil, log.ErrClosed
	default:
	}
	err = r.s.view(ctx, func() error {
		p := &r.s.parts[r.partition]
		switch {
		case r.next < p.first:
			return fmt.Errorf("%w, the first one is %d", log.ErrTrimmed, p.first)
		case r.next == p.next():
			grown = p.grown
		default:
			record = append([]byte{}, p.records[r.next-p.first]...)
		}
		return nil
	})
	return record, grown, err
}

func (r *reader) fail(err error) error {
	return fmt.Errorf("log: read partition %d at %d: %w", r.partition, r.next, err)
}

// Close frees the reader; see log.Reader.
func (r *reader) Close() error {
	r.closeOnce.Do(func() { close(r.closed) })
	return nil
}
