package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/leatio/leat/agent/source"
)

// Take implements source.Source.
func (s *Source) Take(c *source.Chunk, most int) {
	before := c.Messages
	c.Messages = nil
	c.Reset()
	c.Messages = before[:0]    // overwritten below, and what stays of it let go of
	for _, b := range s.used { // what the chunk before held
		s.free <- b
	}
	s.used = s.used[:0]
	for s.current != nil || s.next(c) {
		if len(c.Messages) >= most || len(s.used) == takeBlocks || len(c.Messages) > 0 && c.Messages[0].Lines {
			break // a run of lines makes a batch by itself
		}
		s.takeFrom(c, most)
	}
	if len(before) > len(c.Messages) {
		clear(before[len(c.Messages):])
	}
	s.received.Add(uint64(len(c.Messages)))
	if len(c.Messages) > 0 && s.place.path != Stdin {
		c.Puts = append(c.Puts, source.Entry{Key: s.cfg.Prefix + positionKey, Value: s.place.append(nil)})
	}
}

// next makes the next block current. When there is none, the chunk is dry.
func (s *Source) next(c *source.Chunk) bool {
	select {
	case b, ok := <-s.blocks:
		if ok {
			s.current = b
			return true
		}
		c.End = s.finished.Load()
	default:
	}
	c.Dry = true
	return false
}

// trimEnd takes the line end off a record. The last of a file may have none.
func trimEnd(p []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(p, []byte("\n")), []byte("\r"))
}

// takeFrom moves records of the current block to the chunk.
func (s *Source) takeFrom(c *source.Chunk, most int) {
	b := s.current
	n := min(len(b.ends)-b.taken, most-len(c.Messages))
	from := len(c.Messages)
	msgs := slices.Grow(c.Messages, n)[:from+n]
	start := b.start
	header := s.header || b.fresh && b.taken == 0
	for _, end := range b.ends[b.taken : b.taken+n] {
		p := b.data[start:end:end]
		if start = end; !b.lines {
			p = trimEnd(p)
		}
		if len(p) > 0 {
			msgs[from] = source.Message{Topic: b.path, Payload: p, ReceivedMicros: b.receivedMicros, Header: header, Oversized: b.oversized, Lines: b.lines}
			from++
			header = false
		}
	}
	s.header = header
	c.Messages = msgs[:from]
	b.start = start
	b.taken += n
	s.place = place{path: b.path, offset: b.offset + int64(start)}
	if b.taken == len(b.ends) {
		s.place.offset = b.after
		s.used = append(s.used, b)
		s.current = nil
	}
}

const (
	positionKey     = "position"
	positionVersion = 1
)

// place is a position: the next byte to read of a file.
type place struct {
	path   string
	offset int64
}

func (p place) append(dst []byte) []byte {
	dst = append(dst, positionVersion)
	dst = binary.AppendUvarint(dst, uint64(p.offset))
	return append(dst, p.path...)
}

func loadPlace(store source.Store, prefix string) (place, error) {
	if store == nil {
		return place{}, nil
	}
	v, err := store.Get(prefix + positionKey)
	if err != nil || v == nil {
		return place{}, err
	}
	if len(v) == 0 {
		return place{}, errDamaged
	}
	if v[0] != positionVersion {
		return place{}, fmt.Errorf("stored position has version %d, this build reads %d: upgrade it", v[0], positionVersion)
	}
	offset, n := binary.Uvarint(v[1:])
	if n <= 0 || offset > math.MaxInt64 || len(v) == 1+n { // a path is never empty
		return place{}, errDamaged
	}
	return place{path: string(v[1+n:]), offset: int64(offset)}, nil
}

var errDamaged = errors.New("stored position is damaged: apply the pipeline under a new name to start over")
