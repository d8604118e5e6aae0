package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/leatio/leat/cloud/log"
)

// The first byte of a message in KEYS.
const (
	keyDeleted = 0
	keyValue   = 1
)

// Get gives a key's value and revision; see log.Keys.
func (s *Store) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	value, revision, err := s.get(ctx, key)
	if err == nil && value == nil {
		err = log.ErrNotFound
	}
	if err != nil {
		return nil, 0, fmt.Errorf("log: get key %q: %w", key, err)
	}
	return value, revision, nil
}

// get gives a nil value and the marker's revision for a deleted key.
func (s *Store) get(ctx context.Context, key string) ([]byte, uint64, error) {
	if err := log.CheckName(key); err != nil {
		return nil, 0, err
	}
	m, err := s.keys.GetLastMsgForSubject(ctx, keyPrefix+encodeName(key))
	if err != nil {
		return nil, 0, s.translate(err)
	}
	if len(m.Data) == 0 || m.Data[0] > keyValue {
		return nil, 0, fmt.Errorf("%w: it does not begin with a known kind", log.ErrCorrupt)
	}
	if m.Data[0] == keyDeleted {
		return nil, m.Sequence, nil
	}
	return m.Data[1:], m.Sequence, nil
}

// Put writes a key by compare-and-set; see log.Keys.
func (s *Store) Put(ctx context.Context, key string, value []byte, expect uint64) (uint64, error) {
	if len(value) > s.cfg.MaxRecordBytes {
		return 0, fmt.Errorf("log: put key %q: %w: a value of %d bytes, at most %d are allowed", key, log.ErrTooLarge, len(value), s.cfg.MaxRecordBytes)
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	data := append([]byte{keyValue}, value...)
	revision, err := s.putKey(ctx, key, data, expect)
	if expect == 0 && errors.Is(err, log.ErrConflict) {
		// A deleted key does not exist, but its marker does.
		old, marker, getErr := s.get(ctx, key)
		if getErr == nil && old == nil {
			revision, err = s.putKey(ctx, key, data, marker)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("log: put key %q: %w", key, err)
	}
	return revision, nil
}

func (s *Store) putKey(ctx context.Context, key string, data []byte, expect uint64) (uint64, error) {
	if err := log.CheckName(key); err != nil {
		return 0, err
	}
	msg := &nats.Msg{Subject: keyPrefix + encodeName(key), Data: data, Header: nats.Header{}}
	ack, err := s.js.PublishMsg(ctx, msg, js.WithExpectLastSequencePerSubject(expect))
	if err != nil {
		return 0, s.translate(err)
	}
	return ack.Sequence, nil
}

// Delete removes a key by compare-and-set; see log.Keys.
func (s *Store) Delete(ctx context.Context, key string, expect uint64) error {
	if expect == 0 {
		return fmt.Errorf("log: delete key %q: %w: the expected revision is 0", key, log.ErrConflict)
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	// The marker stays: the value before it is only displaced by it, and would be the subject's
	// last message again when the server rebuilds its state after a crash.
	if _, err := s.putKey(ctx, key, []byte{keyDeleted}, expect); err != nil {
		return fmt.Errorf("log: delete key %q: %w", key, err)
	}
	return nil
}

// List gives the keys with a prefix; see log.Keys.
func (s *Store) List(ctx context.Context, prefix string) ([]string, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	names, err := s.names(ctx, s.keys, keyPrefix, prefix)
	if err != nil {
		return nil, fmt.Errorf("log: list keys: %w", err)
	}
	live := names[:0]
	for _, name := range names {
		value, _, err := s.get(ctx, name)
		if errors.Is(err, log.ErrNotFound) || err == nil && value == nil {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("log: list keys: key %q: %w", name, err)
		}
		live = append(live, name)
	}
	return live, nil
}

// names gives the sorted names under subjectPrefix that begin with prefix.
func (s *Store) names(ctx context.Context, stream js.Stream, subjectPrefix, prefix string) ([]string, error) {
	if s.closed.Load() {
		return nil, log.ErrClosed
	}
	info, err := stream.Info(ctx, js.WithSubjectFilter(subjectPrefix+">"))
	if err != nil {
		return nil, s.translate(err)
	}
	var names []string
	for subject := range info.State.Subjects {
		name, err := decodeName(strings.TrimPrefix(subject, subjectPrefix))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", log.ErrCorrupt, err)
		}
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}
