package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/leatio/leat/cloud/log"
)

// Append adds a record to a partition; see log.Log.
func (s *Store) Append(ctx context.Context, partition int, record []byte) (uint64, error) {
	if _, err := s.partition(partition); err != nil {
		return 0, fmt.Errorf("log: append: %w", err)
	}
	if len(record) > s.cfg.MaxRecordBytes {
		return 0, fmt.Errorf("log: append to partition %d: %w: a record of %d bytes, at most %d are allowed",
			partition, log.ErrTooLarge, len(record), s.cfg.MaxRecordBytes)
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	ack, err := s.js.PublishMsg(ctx, &nats.Msg{Subject: partitionSubject(partition), Data: record})
	if err != nil {
		return 0, fmt.Errorf("log: append to partition %d: %w", partition, s.translate(err))
	}
	return ack.Sequence, nil
}

// Bounds gives the first offset and the next one; see log.Log.
func (s *Store) Bounds(ctx context.Context, partition int) (first, next uint64, err error) {
	stream, err := s.partition(partition)
	if err != nil {
		return 0, 0, fmt.Errorf("log: bounds: %w", err)
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	info, err := stream.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("log: bounds of partition %d: %w", partition, s.translate(err))
	}
	return max(info.State.FirstSeq, 1), info.State.LastSeq + 1, nil
}

// Trim removes the records below an offset, except the newest one; see log.Log.
func (s *Store) Trim(ctx context.Context, partition int, below uint64) error {
	first, next, err := s.Bounds(ctx, partition)
	if err != nil {
		return fmt.Errorf("log: trim: %w", err)
	}
	below = min(below, next-1)
	if below <= first {
		return nil
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.parts[partition].Purge(ctx, js.WithPurgeSequence(below)); err != nil {
		return fmt.Errorf("log: trim partition %d below %d: %w", partition, below, s.translate(err))
	}
	return nil
}

// Read opens a reader; see log.Log.
func (s *Store) Read(ctx context.Context, partition int, from uint64) (log.Reader, error) {
	first, next, err := s.Bounds(ctx, partition)
	if err != nil {
		return nil, fmt.Errorf("log: read: %w", err)
	}
	if from < first {
		return nil, fmt.Errorf("log: read partition %d from %d: %w, the first one is %d", partition, from, log.ErrTrimmed, first)
	}
	if from > next {
		return nil, fmt.Errorf("log: read partition %d from %d: %w, the next one is %d", partition, from, log.ErrBeyond, next)
	}
	return newReader(s, partition, from)
}
