package checkpoint

import (
	"fmt"
	"time"
)

// Kind tells the two kinds of records.
type Kind uint8

// The kinds of records.
const (
	Frame Kind = 1 // numbered; live until acknowledged
	State Kind = 2 // journal of operator state; live until the stream's next frame
)

func (k Kind) String() string {
	switch k {
	case Frame:
		return "frame"
	case State:
		return "state record"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Record is one record of a batch.
type Record struct {
	Stream string // opaque, 1 to MaxKeyBytes bytes; the stream is created by its first record
	Kind   Kind
	Seq    uint64 // frames: the stream's next number; State: left 0, the store numbers them
	Data   []byte // at most MaxRecordBytes; not changed until Commit returns, not kept after
}

// Entry is a key and its value in the same commit.
type Entry struct {
	Key   string // 1 to MaxKeyBytes bytes
	Value []byte // nil deletes; empty stores an empty value
}

// Batch is what one Commit stores, all of it or nothing. Its records are
// appended in order: a frame makes the State records before it, of its own
// stream, worthless, those of earlier commits and of this one; State records
// after it begin the new journal.
type Batch struct {
	Records []Record
	Puts    []Entry // applied in order; the last of equal keys stands
}

// Stats is a snapshot of a store's counters. Counters begin at 0 at Open.
type Stats struct {
	Commits       uint64 // batches stored
	Groups        uint64 // rounds of fsyncs that they took
	AppendedBytes uint64 // written to segments, copies and headers included
	CopiedBytes   uint64 // of these: live records copied to free a segment
	Full          uint64 // batches refused with ErrFull
	Corrupt       uint64 // damaged records met by Open, Read, State
	SetAside      uint64 // segment files set aside for inspection

	Segments   int   // segment files
	UsedBytes  int64 // their size; bounded by Config.MaxBytes
	LiveBytes  int64 // of these: unacknowledged frames and live state
	LimitBytes int64 // Commit refuses records beyond this use

	// Busy is how long the commit in progress has been at the disk, 0 when
	// none is: what a watchdog looks at.
	Busy time.Duration
}

// Damage describes one thing that Open found wrong and went on without.
type Damage struct {
	File   string // segment file, or empty
	Offset int64
	Reason string
}
