package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// Version is the newest format that this build reads and the one it writes.
const Version = 2

// Kind says what a record is.
type Kind uint8

// The kinds.
const (
	KindEpoch      Kind = 1
	KindBundle     Kind = 2
	KindMembership Kind = 3
)

// Flags of an entry.
type Flags uint8

// FlagIdle says that the agent is connected and has nothing to say.
const FlagIdle Flags = 1

// NoWatermark stands for a lane that has seen no row.
const NoWatermark = math.MinInt64

// Membership says how an agent stands to a pipeline version, as somebody other than the agent knows it.
type Membership uint8

// The memberships. A frame of the agent ends the first two.
const (
	Passed   Membership = 1 // AWAY for so long that windows no longer wait for it
	Away     Membership = 2 // cannot be reached; windows wait
	Expected Membership = 3 // it has been given the pipeline; AWAY until its first frame
	Removed  Membership = 4 // it will send nothing more, as far as anyone knows
)

// Member is one statement of a membership record.
type Member struct {
	Agent    string
	Pipeline string // empty = every pipeline version that knows the agent
	Version  uint64
	State    Membership
}

// Errors of Parse.
var (
	ErrCorrupt = errors.New("log record is damaged")
	ErrVersion = errors.New("log record is of a newer version")
)

// Record is one record of a partition's log.
type Record struct {
	Kind     Kind
	Previous uint32   // checksum of the record before
	Writer   uint64   // epoch of who wrote it
	Entries  []Entry  // bundle
	Members  []Member // membership

	Checksum uint32 // set by Parse
}

// Entry is one agent's frames From..To as far as this partition goes.
type Entry struct {
	Agent     string
	Epoch     uint64
	Pipeline  string
	Version   uint64
	Lane      uint32
	From, To  uint64
	Before    uint32 // checksum of the frame before From in the lane
	Sum       uint32 // checksum of frame To
	Watermark int64
	Flags     Flags
	Payload   []byte // sections of the columnar codec; empty = no rows here
}

// Bounds of a record from outside.
const (
	maxEntries = 1 << 16
	maxName    = 256
	headBytes  = 12
)

func sum(b []byte) uint32 {
	t := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(b[:8], t), t, b[12:])
}

// Append appends the bytes of r.
func Append(dst []byte, r *Record) []byte {
	start := len(dst)
	dst = append(dst, 'L', 'R', Version, byte(r.Kind))
	dst = binary.LittleEndian.AppendUint32(dst, r.Previous)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.AppendUvarint(dst, r.Writer)
	switch r.Kind {
	case KindBundle:
		dst = binary.AppendUvarint(dst, uint64(len(r.Entries)))
		for i := range r.Entries {
			dst = appendEntry(dst, &r.Entries[i])
		}
	case KindMembership:
		dst = binary.AppendUvarint(dst, uint64(len(r.Members)))
		for _, m := range r.Members {
			dst = appendBytes(dst, m.Agent)
			dst = appendBytes(dst, m.Pipeline)
			dst = binary.AppendUvarint(dst, m.Version)
			dst = append(dst, byte(m.State))
		}
	}
	rec := dst[start:]
	binary.LittleEndian.PutUint32(rec[8:], sum(rec))
	return dst
}

// Checksum reads the checksum of a record made by Append.
func Checksum(rec []byte) uint32 { return binary.LittleEndian.Uint32(rec[8:]) }

func appendBytes[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func appendEntry(dst []byte, e *Entry) []byte {
	dst = appendBytes(dst, e.Agent)
	dst = binary.AppendUvarint(dst, e.Epoch)
	dst = appendBytes(dst, e.Pipeline)
	dst = binary.AppendUvarint(dst, e.Version)
	dst = binary.AppendUvarint(dst, uint64(e.Lane))
	dst = binary.AppendUvarint(dst, e.From)
	dst = binary.AppendUvarint(dst, e.To-e.From)
	dst = binary.LittleEndian.AppendUint32(dst, e.Before)
	dst = binary.LittleEndian.AppendUint32(dst, e.Sum)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Watermark))
	dst = append(dst, byte(e.Flags))
	return appendBytes(dst, e.Payload)
}

// Parse reads a record. Entries' payloads point into src.
func Parse(src []byte) (*Record, error) {
	if len(src) < headBytes+1 || src[0] != 'L' || src[1] != 'R' {
		return nil, fmt.Errorf("%w: no header", ErrCorrupt)
	}
	if src[2] > Version {
		return nil, fmt.Errorf("%w: %d, this build reads up to %d", ErrVersion, src[2], Version)
	}
	r := &Record{Kind: Kind(src[3]), Previous: binary.LittleEndian.Uint32(src[4:]), Checksum: binary.LittleEndian.Uint32(src[8:])}
	if got := sum(src); got != r.Checksum {
		return nil, fmt.Errorf("%w: checksum is %08x, header says %08x", ErrCorrupt, got, r.Checksum)
	}
	p := parser{b: src[headBytes:]}
	r.Writer = p.uvarint()
	switch r.Kind {
	case KindEpoch:
	case KindBundle:
		p.entries(r)
	case KindMembership:
		if src[2] == 1 { // one agent, of every pipeline
			r.Members = []Member{{Agent: string(p.bytes(maxName)), State: Membership(p.u8())}}
			break
		}
		p.members(r)
	default:
		return nil, fmt.Errorf("%w: kind %d", ErrCorrupt, src[3])
	}
	if p.bad || len(p.b) != 0 {
		return nil, fmt.Errorf("%w: its fields do not fit its length", ErrCorrupt)
	}
	return r, nil
}

// parser takes fields off the front of b; bad stays set after the first that does not fit.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) entries(r *Record) {
	n := p.uvarint()
	if n > maxEntries || n > uint64(len(p.b)) {
		p.bad = true
		return
	}
	r.Entries = make([]Entry, n)
	for i := range r.Entries {
		e := &r.Entries[i]
		e.Agent = string(p.bytes(maxName))
		e.Epoch = p.uvarint()
		e.Pipeline = string(p.bytes(maxName))
		e.Version = p.uvarint()
		lane := p.uvarint()
		e.Lane = uint32(lane)
		e.From = p.uvarint()
		count := p.uvarint()
		e.To = e.From + count
		p.bad = p.bad || lane > math.MaxUint32 || e.To < e.From
		e.Before, e.Sum = p.u32(), p.u32()
		e.Watermark = int64(p.u64())
		e.Flags = Flags(p.u8())
		e.Payload = p.bytes(len(p.b))
		if p.bad {
			return
		}
	}
}

func (p *parser) members(r *Record) {
	n := p.uvarint()
	if n > maxEntries || n > uint64(len(p.b)) {
		p.bad = true
		return
	}
	r.Members = make([]Member, n)
	for i := range r.Members {
		r.Members[i] = Member{Agent: string(p.bytes(maxName)), Pipeline: string(p.bytes(maxName)), Version: p.uvarint(), State: Membership(p.u8())}
		if p.bad {
			return
		}
	}
}

func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) take(n int) []byte {
	if n > len(p.b) {
		p.bad, p.b = true, nil
		return make([]byte, min(n, 8))
	}
	b := p.b[:n:n]
	p.b = p.b[n:]
	return b
}

func (p *parser) bytes(limit int) []byte {
	n := p.uvarint()
	if n > uint64(limit) || n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return nil
	}
	return p.take(int(n))
}

func (p *parser) u8() uint8   { return p.take(1)[0] }
func (p *parser) u32() uint32 { return binary.LittleEndian.Uint32(p.take(4)) }
func (p *parser) u64() uint64 { return binary.LittleEndian.Uint64(p.take(8)) }
