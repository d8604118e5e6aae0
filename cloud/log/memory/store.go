package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/leatio/leat/cloud/log"
)

// ErrInjected is the error of an injected failure.
var ErrInjected = errors.New("injected failure")

// Fault says what becomes of a call; see the package comment.
type Fault uint8

// The faults.
const (
	None Fault = iota
	Fail
	Unknown
	Late
)

// Op is the kind of a call that can fail.
type Op uint8

// The calls.
const (
	OpAppend Op = iota
	OpTrim
	OpPut
	OpDelete
	OpPutObject
	OpDeleteObject
)

// Call describes a call to Config.Fault.
type Call struct {
	Op        Op
	Partition int    // of OpAppend and OpTrim
	Name      string // of the others
}

// Defaults of Config.
const (
	DefaultPartitions     = 16
	DefaultPartitionBytes = 1 << 30
	DefaultMaxRecordBytes = 8 << 20
)

// Config describes a store.
type Config struct {
	// Partitions is the number of partitions; 0 = DefaultPartitions.
	Partitions int
	// PartitionBytes bounds the records of each partition; 0 = DefaultPartitionBytes.
	PartitionBytes int
	// MaxRecordBytes bounds a record, and the value of a key; 0 = DefaultMaxRecordBytes.
	MaxRecordBytes int
	// Fault is asked before each call that changes something, one call at a time; nil = nothing fails. It must not call the store.
	Fault func(Call) Fault
}

func (c Config) withDefaults() Config {
	for _, f := range []struct {
		field *int
		value int
	}{{&c.Partitions, DefaultPartitions}, {&c.PartitionBytes, DefaultPartitionBytes}, {&c.MaxRecordBytes, DefaultMaxRecordBytes}} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	return c
}

// Store is a store in memory. It implements log.Log, log.Keys and log.Objects.
type Store struct {
	cfg  Config
	done chan struct{} // closed by Close

	*state
}

var (
	_ log.Log     = (*Store)(nil)
	_ log.Keys    = (*Store)(nil)
	_ log.Objects = (*Store)(nil)
)

// state outlives a Store: Reopen hands it on.
type state struct {
	mu       sync.Mutex
	owner    *Store // the open store; nil = closed
	parts    []partition
	revision uint64
	keys     map[string]entry
	objects  map[string][]byte
}

type partition struct {
	first   uint64 // offset of records[0]
	records [][]byte
	bytes   int
	late    [][]byte
	grown   chan struct{} // closed and replaced by every append and trim
}

type entry struct {
	value    []byte
	revision uint64
}

// New makes an empty store.
func New(cfg Config) *Store {
	s := &Store{cfg: cfg.withDefaults(), done: make(chan struct{}), state: &state{
		keys:    map[string]entry{},
		objects: map[string][]byte{},
	}}
	s.owner = s
	for range s.cfg.Partitions {
		s.parts = append(s.parts, partition{first: 1, grown: make(chan struct{})})
	}
	return s
}

// Reopen closes the store if it is open and returns a new one with its contents.
func (s *Store) Reopen() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != nil {
		close(s.owner.done)
	}
	for i := range s.parts {
		s.parts[i].late = nil
	}
	n := &Store{cfg: s.cfg, done: make(chan struct{}), state: s.state}
	s.owner = n
	return n
}

// Close ends the store. Whoever blocks in a Reader gets log.ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != s {
		return fmt.Errorf("log: close: %w already", log.ErrClosed)
	}
	s.owner = nil
	close(s.done)
	return nil
}

// change runs a change under the lock, with the fault that it meets. apply must check before it changes anything.
func (s *Store) change(ctx context.Context, c Call, apply func(late bool) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != s {
		return log.ErrClosed
	}
	fault := None
	if s.cfg.Fault != nil {
		fault = s.cfg.Fault(c)
	}
	switch {
	case fault == None:
		return apply(false)
	case fault == Fail, fault == Late && c.Op != OpAppend:
		return ErrInjected
	}
	if err := apply(fault == Late); err != nil {
		return err
	}
	return ErrInjected
}

// view runs a read under the lock.
func (s *Store) view(ctx context.Context, read func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != s {
		return log.ErrClosed
	}
	return read()
}

// Get gives a key's value and revision; see log.Keys.
func (s *Store) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	err = s.view(ctx, func() error {
		if err := log.CheckName(key); err != nil {
			return err
		}
		e, ok := s.keys[key]
		if !ok {
			return log.ErrNotFound
		}
		value, revision = bytes.Clone(e.value), e.revision
		return nil
	})
	return value, revision, wrap(err, "get key %q", key)
}

// Put writes a key by compare-and-set; see log.Keys.
func (s *Store) Put(ctx context.Context, key string, value []byte, expect uint64) (revision uint64, err error) {
	err = s.change(ctx, Call{Op: OpPut, Name: key}, func(bool) error {
		if err := log.CheckName(key); err != nil {
			return err
		}
		if len(value) > s.cfg.MaxRecordBytes {
			return fmt.Errorf("%w: a value of %d bytes, at most %d are allowed", log.ErrTooLarge, len(value), s.cfg.MaxRecordBytes)
		}
		if s.keys[key].revision != expect {
			return log.ErrConflict
		}
		s.revision++
		s.keys[key] = entry{append([]byte{}, value...), s.revision}
		revision = s.revision
		return nil
	})
	if err != nil {
		return 0, wrap(err, "put key %q", key)
	}
	return revision, nil
}

// Delete removes a key by compare-and-set; see log.Keys.
func (s *Store) Delete(ctx context.Context, key string, expect uint64) error {
	err := s.change(ctx, Call{Op: OpDelete, Name: key}, func(bool) error {
		if err := log.CheckName(key); err != nil {
			return err
		}
		if expect == 0 || s.keys[key].revision != expect {
			return log.ErrConflict
		}
		s.revision++
		delete(s.keys, key)
		return nil
	})
	return wrap(err, "delete key %q", key)
}

// List gives the keys with a prefix; see log.Keys.
func (s *Store) List(ctx context.Context, prefix string) (names []string, err error) {
	err = s.view(ctx, func() error {
		names = withPrefix(s.keys, prefix)
		return nil
	})
	return names, wrap(err, "list keys")
}

// PutObject writes an object; see log.Objects.
func (s *Store) PutObject(ctx context.Context, name string, data []byte) error {
	err := s.change(ctx, Call{Op: OpPutObject, Name: name}, func(bool) error {
		if err := log.CheckName(name); err != nil {
			return err
		}
		s.objects[name] = append([]byte{}, data...)
		return nil
	})
	return wrap(err, "put object %q", name)
}

// GetObject reads an object; see log.Objects.
func (s *Store) GetObject(ctx context.Context, name string) (data []byte, err error) {
	err = s.view(ctx, func() error {
		if err := log.CheckName(name); err != nil {
			return err
		}
		stored, ok := s.objects[name]
		if !ok {
			return log.ErrNotFound
		}
		data = append([]byte{}, stored...)
		return nil
	})
	return data, wrap(err, "get object %q", name)
}

// DeleteObject removes an object; see log.Objects.
func (s *Store) DeleteObject(ctx context.Context, name string) error {
	err := s.change(ctx, Call{Op: OpDeleteObject, Name: name}, func(bool) error {
		delete(s.objects, name)
		return log.CheckName(name)
	})
	return wrap(err, "delete object %q", name)
}

// ListObjects gives the names with a prefix; see log.Objects.
func (s *Store) ListObjects(ctx context.Context, prefix string) (names []string, err error) {
	err = s.view(ctx, func() error {
		names = withPrefix(s.objects, prefix)
		return nil
	})
	return names, wrap(err, "list objects")
}

func withPrefix[T any](m map[string]T, prefix string) []string {
	var names []string
	for name := range m {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("log: %s: %w", fmt.Sprintf(format, args...), err)
}
