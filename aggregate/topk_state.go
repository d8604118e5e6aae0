package aggregate

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// The state of a topK: byte 1, the format; uvarint floor; uvarint number of
// values, below twice the capacity: all that the slot holds, so that whoever takes a snapshot changes nothing; and for each, the most frequent first, uvarint count, uvarint error and
// the value (see valueCodec).
const topFormat = 1

func (a *topK[T]) AppendState(dst []batch.Column, slots []uint32) {
	var buf []byte
	for _, s := range slots {
		p := &a.s[s]
		buf = buf[:0]
		if len(p.entries) > 0 {
			slices.SortFunc(p.entries, byCount[T])
			p.reindex()
			buf = binary.AppendUvarint(append(buf, topFormat), p.floor)
			buf = binary.AppendUvarint(buf, uint64(len(p.entries)))
			for _, e := range p.entries {
				buf = binary.AppendUvarint(binary.AppendUvarint(buf, e.count), e.error)
				buf = a.codec.append(buf, e.v)
			}
		}
		putBlob(&dst[0], buf)
	}
}

func (a *topK[T]) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	slots, rows = a.skip.of(&state[0], slots, rows)
	for i, s := range slots {
		if entries, floor, ok := a.decode(state[0].Blob(rowAt(rows, i))); ok {
			a.merge(&a.s[s], entries, floor)
		}
	}
}

func (a *topK[T]) check(src []byte) bool {
	_, _, ok := a.decode(src)
	return ok
}

func (a *topK[T]) decode(src []byte) (entries []topEntry[T], floor uint64, ok bool) {
	if len(src) == 0 {
		return nil, 0, true
	}
	r := stateReader{src: src}
	if r.byte() != topFormat {
		return nil, 0, false
	}
	floor = r.uvarint(math.MaxInt64)
	for n := r.uvarint(uint64(2*a.capacity - 1)); n > 0 && !r.bad; n-- {
		e := topEntry[T]{count: r.uvarint(math.MaxInt64)}
		e.error = r.uvarint(e.count)
		e.v = a.codec.read(&r)
		e.tag = uint32(a.hash(e.v) >> 32)
		entries = append(entries, e)
	}
	if r.bad || len(r.src) > 0 || len(entries) == 0 {
		return nil, 0, false
	}
	return entries, floor, true
}

func newTopK(in batch.Type, capacity int) Accumulator {
	switch in {
	case batch.Bool:
		return topKOf(capacity, (&timedBool{}).values, hashInt, boolCodec())
	case batch.Double:
		return topKOf(capacity, doubleKeys(), hashInt, doubleCodec())
	case batch.String:
		return topKOf(capacity, (&timedString{}).values, hashString, stringCodec())
	case batch.Bytes:
		return topKOf(capacity, (&timedBytes{}).values, hashString, bytesCodec())
	case batch.Timestamp:
		return topKOf(capacity, (&timedInt{}).values, hashInt, timestampCodec())
	default:
		return topKOf(capacity, (&timedInt{}).values, hashInt, intCodec())
	}
}

func topKOf[T int64 | string](capacity int, values func(*batch.Column, []uint32, int) []T, hash func(T) uint64, codec valueCodec[T]) *topK[T] {
	return &topK[T]{capacity: capacity, values: values, hash: hash, codec: codec}
}
