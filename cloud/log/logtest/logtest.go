package logtest

import (
	"context"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/log"
)

// Store is what an implementation gives.
type Store interface {
	log.Log
	log.Keys
	log.Objects
	Close() error
}

// Limits that the suite expects of a Backend.
const (
	Partitions     = 4
	MaxRecordBytes = 8 << 20
	PartitionBytes = 64 << 20
)

// Backend is an open, empty store with the limits above.
type Backend struct {
	Store
	// Reopen closes the store and opens it anew with its contents.
	Reopen func(t *testing.T) Store
}

// Run runs the suite. open is called for every test and must leave the store to be closed by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Backend) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, b Backend)
	}{
		{"offsets begin at 1 and are contiguous", offsets},
		{"partitions are independent", partitions},
		{"a reader opened before the appends gets all in order", readBefore},
		{"a reader wakes soon after an append", wake},
		{"a reader opened after the appends begins anywhere", readAfter},
		{"many readers of one partition", manyReaders},
		{"concurrent appenders: all records, each once", concurrentAppend},
		{"sizes of records", recordSizes},
		{"slices belong to the caller", aliasing},
		{"a full partition refuses until it is trimmed", full},
		{"trim", trim},
		{"a trim under a reader", trimUnderReader},
		{"reading where nothing is", readErrors},
		{"contexts end calls", contexts},
		{"close wakes readers", closing},
		{"reopening keeps the log", reopenLog},
		{"keys change by compare-and-set", keysCAS},
		{"of concurrent puts one succeeds", keysConcurrent},
		{"deleted keys and their revisions", keysDelete},
		{"keys with any bytes, listed by prefix", keysNames},
		{"reopening keeps the keys", reopenKeys},
		{"objects small and large", objects},
		{"objects are replaced as a whole", objectsReplace},
		{"reopening keeps the objects", reopenObjects},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// deadline bounds every wait of the suite; no correct run comes near it.
const deadline = 30 * time.Second

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}
