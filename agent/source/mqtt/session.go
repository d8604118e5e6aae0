package mqtt

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/leatio/leat/agent/source"
)

// Bounds of the rules in the package comment.
const (
	confirmEvery = 1024 // R2: acknowledgements between two barriers
	settleAfter  = 16   // R3: more than paho holds between its reader and our callback
)

// verdict is what becomes of a PUBLISH.
type verdict uint8

const (
	deliver verdict = iota // it is new
	hold                   // a redelivery of a message that is not committed yet
	ackNow                 // a redelivery of a committed message
)

// entry is what is known of a packet id.
type entry struct {
	id        uint16
	hash      uint64
	committed bool
	ended     bool
	conn      uint64  // the last connection that brought it; 0 = it was read from the store
	record    *record // nil until it is taken
	ack       func()  // of the newest copy
}

// record is one stored entry: the messages of one chunk.
type record struct {
	seq  uint64
	live int // entries that have not ended
}

// session is the state machine of the package comment. It does no I/O; its
// owner guards it.
type session struct {
	entries map[uint16]*entry
	records map[uint64]*record
	next    uint64   // number of the next record
	deletes []uint64 // records to delete with the next chunk

	conn     uint64   // number of the connection
	answered bool     // the broker answered a request of this connection
	settled  int      // QoS 1 messages without DUP since
	acked    []*entry // acknowledged on this connection, in order, and not known to be processed
}

func newSession() *session {
	return &session{entries: make(map[uint16]*entry), records: make(map[uint64]*record)}
}

// connect begins a connection. It tells whether the stored entries must be deleted before anything is subscribed.
func (s *session) connect(present bool) (mustClear bool) {
	s.conn++
	s.answered, s.settled = false, 0
	clear(s.acked)
	s.acked = s.acked[:0]
	if present {
		return false
	}
	for _, e := range s.entries {
		s.end(e)
	}
	return len(s.deletes) > 0
}

// arrive takes a QoS 1 PUBLISH in. ack acknowledges this copy.
func (s *session) arrive(id uint16, dup bool, hash uint64, ack func()) (*entry, verdict) {
	old := s.entries[id]
	if old != nil && dup && old.hash == hash {
		old.conn, old.ack = s.conn, ack
		if !old.committed {
			return old, hold
		}
		return old, ackNow
	}
	if old != nil {
		s.end(old) // R1
	}
	e := &entry{id: id, hash: hash, conn: s.conn, ack: ack}
	s.entries[id] = e
	if !dup {
		s.settle()
	}
	return e, deliver
}

// take notes that pending entries go into a chunk, and appends the chunk's Puts.
func (s *session) take(entries []*entry, prefix string, puts []source.Entry) []source.Entry {
	for _, seq := range s.deletes {
		puts = append(puts, source.Entry{Key: recordKey(prefix, seq)})
	}
	s.deletes = s.deletes[:0]
	var value []byte
	r := &record{seq: s.next}
	for _, e := range entries {
		if e.ended {
			continue
		}
		if value == nil {
			value = append(make([]byte, 0, 1+10*len(entries)), storedVersion)
		}
		value = binary.BigEndian.AppendUint16(value, e.id)
		value = binary.BigEndian.AppendUint64(value, e.hash)
		e.record = r
		r.live++
	}
	if r.live == 0 {
		return puts
	}
	s.next++
	s.records[r.seq] = r
	return append(puts, source.Entry{Key: recordKey(prefix, r.seq), Value: value})
}

// commit notes that the chunk of these entries is durable, and calls ack for
// those whose newest copy came on this connection, in order.
func (s *session) commit(entries []*entry, ack func(*entry)) {
	for _, e := range entries {
		if e.ended {
			continue
		}
		e.committed = true
		if e.conn == s.conn {
			ack(e)
		}
	}
}

// forget takes an entry back whose message was not kept.
func (s *session) forget(e *entry) { s.end(e) }

func (s *session) end(e *entry) {
	if e.ended {
		return
	}
	e.ended, e.ack = true, nil
	delete(s.entries, e.id)
	if r := e.record; r != nil {
		if r.live--; r.live == 0 {
			delete(s.records, r.seq)
			s.deletes = append(s.deletes, r.seq)
		}
	}
}

// sent notes that an entry's PUBACK was written to a connection.
func (s *session) sent(e *entry, conn uint64) {
	if conn == s.conn && !e.ended {
		s.acked = append(s.acked, e)
	}
}

// confirm applies R2: the broker answered what was sent after the first n
// PUBACKs of s.acked.
func (s *session) confirm(n int) {
	for _, e := range s.acked[:n] {
		s.end(e)
	}
	rest := copy(s.acked, s.acked[n:])
	clear(s.acked[rest:])
	s.acked = s.acked[:rest]
}

// settle applies R3 at an arrival.
func (s *session) settle() {
	if !s.answered || s.settled >= settleAfter {
		return
	}
	if s.settled++; s.settled < settleAfter {
		return
	}
	for _, e := range s.entries {
		if e.committed && e.conn != s.conn {
			s.end(e)
		}
	}
}

const (
	storedVersion = 1
	recordPrefix  = "ack/"
	topicsKey     = "topics"
)

func recordKey(prefix string, seq uint64) string {
	return prefix + recordPrefix + fmt.Sprintf("%016x", seq)
}

// load reads the records back. Later ones count before earlier ones.
func (s *session) load(store source.Store, prefix string) error {
	return store.Range(prefix+recordPrefix, func(key string, value []byte) error {
		seq, err := strconv.ParseUint(key[len(prefix)+len(recordPrefix):], 16, 64)
		if err != nil || len(value) < 1 || (len(value)-1)%10 != 0 {
			return fmt.Errorf("%w (key %s): apply the pipeline under a new name to start over", ErrStored, key)
		}
		if value[0] != storedVersion {
			return fmt.Errorf("the stored redelivery entries have version %d, this build reads %d: upgrade it", value[0], storedVersion)
		}
		s.next = max(s.next, seq+1)
		r := &record{seq: seq, live: 0}
		s.records[seq] = r
		r.live++ // holds the record while its own entries replace one another
		for v := value[1:]; len(v) > 0; v = v[10:] {
			e := &entry{id: binary.BigEndian.Uint16(v), hash: binary.BigEndian.Uint64(v[2:]), committed: true, record: r}
			if old := s.entries[e.id]; old != nil {
				s.end(old)
			}
			r.live++
			s.entries[e.id] = e
		}
		if r.live--; r.live == 0 {
			delete(s.records, seq)
			s.deletes = append(s.deletes, seq)
		}
		return nil
	})
}
