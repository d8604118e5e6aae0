package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
)

// The values of store.db, drawn in docs/format/outbox.md.
const (
	metaVersion = 1
	metaBytes   = 60
	rowBytes    = 48
)

// meta is the one row that decides what counts.
type meta struct {
	id         storeID
	commit     uint64 // of the last group
	tail       uint32 // segment; 0 before the first record
	tailOffset int64
	lastStream uint32 // highest stream id given out
	digest     uint64 // of all rows and entries
}

func appendMeta(dst []byte, m meta) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, metaVersion)
	dst = append(dst, m.id[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, m.commit)
	dst = binary.LittleEndian.AppendUint32(dst, m.tail)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.tailOffset))
	dst = binary.LittleEndian.AppendUint32(dst, m.lastStream)
	dst = binary.LittleEndian.AppendUint64(dst, m.digest)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	return binary.LittleEndian.AppendUint32(dst, Checksum(dst[start:]))
}

func parseMeta(b []byte) (meta, error) {
	if len(b) < 8 {
		return meta{}, fmt.Errorf("the meta row has %d bytes", len(b))
	}
	if v := binary.LittleEndian.Uint32(b); v != metaVersion {
		return meta{}, fmt.Errorf("store format version %d, this program reads version %d", v, metaVersion)
	}
	if len(b) != metaBytes {
		return meta{}, fmt.Errorf("the meta row has %d bytes, expected %d", len(b), metaBytes)
	}
	if binary.LittleEndian.Uint32(b[metaBytes-4:]) != Checksum(b[:metaBytes-4]) {
		return meta{}, errors.New("the meta row's checksum is wrong")
	}
	return meta{
		id:         storeID(b[4:20]),
		commit:     binary.LittleEndian.Uint64(b[20:]),
		tail:       binary.LittleEndian.Uint32(b[28:]),
		tailOffset: int64(binary.LittleEndian.Uint64(b[32:])),
		lastStream: binary.LittleEndian.Uint32(b[40:]),
		digest:     binary.LittleEndian.Uint64(b[44:]),
	}, nil
}

// row is what store.db knows of a stream. Its key is the stream's name.
type row struct {
	id         uint32
	sum        uint32 // of the last frame's data
	first      uint64 // first frame that is not acknowledged
	next       uint64 // next frame's number
	stateFirst uint64 // the journal's records
	stateNext  uint64
}

func newRow() row { return row{first: 1, next: 1, stateFirst: 1, stateNext: 1} }

func appendRow(dst []byte, r row) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, r.id)
	dst = binary.LittleEndian.AppendUint32(dst, r.sum)
	dst = binary.LittleEndian.AppendUint64(dst, r.first)
	dst = binary.LittleEndian.AppendUint64(dst, r.next)
	dst = binary.LittleEndian.AppendUint64(dst, r.stateFirst)
	dst = binary.LittleEndian.AppendUint64(dst, r.stateNext)
	return binary.LittleEndian.AppendUint64(dst, 0)
}

func parseRow(b []byte) (row, error) {
	if len(b) != rowBytes {
		return row{}, fmt.Errorf("a stream's row has %d bytes, expected %d", len(b), rowBytes)
	}
	r := row{
		id:         binary.LittleEndian.Uint32(b),
		sum:        binary.LittleEndian.Uint32(b[4:]),
		first:      binary.LittleEndian.Uint64(b[8:]),
		next:       binary.LittleEndian.Uint64(b[16:]),
		stateFirst: binary.LittleEndian.Uint64(b[24:]),
		stateNext:  binary.LittleEndian.Uint64(b[32:]),
	}
	if r.id == 0 || r.first == 0 || r.first > r.next || r.stateFirst == 0 || r.stateFirst > r.stateNext {
		return row{}, fmt.Errorf("a stream's row makes no sense: %+v", r)
	}
	return r, nil
}

var crcTable = crc64.MakeTable(crc64.ECMA)

// digestOf hashes one key and value. The digest of the store is the sum over
// all of them, so that it is kept up with what a transaction changes alone, and
// at Open shows a value that flipped and a key that vanished alike: bbolt has no
// checksums on its data pages.
func digestOf(bucket byte, key, value []byte) uint64 {
	var b [9]byte
	b[0] = bucket
	binary.LittleEndian.PutUint64(b[1:], uint64(len(key)))
	sum := crc64.Update(0, crcTable, b[:])
	sum = crc64.Update(sum, crcTable, key)
	return crc64.Update(sum, crcTable, value)
}
