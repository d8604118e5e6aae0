package window

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

// SnapshotVersion is the version of snapshots that this build writes and reads.
const SnapshotVersion = 2

// Columns of snapshots beside those of partials and results.
const (
	versionColumn = "_version"
	epochColumn   = "_epoch"
	touchedColumn = "_touched" // epoch of a state's last change
	emptyColumn   = "_empty"   // a state whose inner results are all gone
	goneColumn    = "_gone"    // deletes its key
	pendingColumn = "_pending" // a session that changed since it was emitted
)

func headerSchema() batch.Schema {
	return batch.Schema{{Name: versionColumn, Type: batch.Int}, {Name: epochColumn, Type: batch.Int}}
}

// SnapshotSchemas gives the schema of each section of a snapshot. The first is
// a header of one row: the version, and the epoch, which counts the times that something was emitted. The last column of
// the others marks rows that delete their key.
func (f *Final) SnapshotSchemas() []batch.Schema {
	return append([]batch.Schema{headerSchema()}, f.windows.sections()...)
}

// SnapshotKeys gives for each section how many columns at the front name a row; of the header none.
func (f *Final) SnapshotKeys() []int { return append([]int{0}, f.windows.rowKeys()...) }

// Snapshot gives what changed since the last Snapshot, or all of it, by
// section; sections without rows are left out, but for the header. Rows come in a fixed order. Restored states
// count as unchanged. What was forgotten is not said, unless
// the configuration asks for it: Resume forgets it again. A batch is valid until emit returns.
func (f *Final) Snapshot(full bool, emit func(section int, b *batch.Batch) error) error {
	h := batch.New(headerSchema())
	appendInts(&h.Cols[0], SnapshotVersion, 1)
	appendInts(&h.Cols[1], f.windows.era(), 1)
	h.N = 1
	if err := emit(0, h); err != nil {
		return err
	}
	return f.windows.snapshot(full, func(section int, b *batch.Batch) error {
		if b.N == 0 {
			return nil
		}
		return emit(1+section, b)
	})
}

// Restore takes a section of a snapshot in: its rows replace those before it. Restore the snapshots in the order in
// which they were made, the first of them full, and the sections of each in theirs, on a new Final, then call Resume.
func (f *Final) Restore(section int, b *batch.Batch) error {
	schemas := f.SnapshotSchemas()
	if section < 0 || section >= len(schemas) {
		return fmt.Errorf("%w: section %d of %d", ErrBatch, section, len(schemas))
	}
	if err := checkColumns(b, schemas[section]); err != nil {
		return fmt.Errorf("section %d: %w", section, err)
	}
	if section > 0 {
		if !f.begun {
			return fmt.Errorf("%w: section %d comes without a header", ErrVersion, section)
		}
		return f.windows.restore(section-1, b)
	}
	epoch, err := headerOf(b)
	if err == nil {
		f.begun = true
		f.windows.begin(epoch)
	}
	return err
}

// headerOf reads the header of a snapshot.
func headerOf(b *batch.Batch) (epoch int64, err error) {
	if b.Len() != 1 || b.Cols[0].Null(rowOf(b, 0)) || b.Cols[1].Null(rowOf(b, 0)) {
		return 0, fmt.Errorf("%w: the header of a snapshot is one row", ErrBatch)
	}
	r := rowOf(b, 0)
	if v := b.Cols[0].Ints[r]; v != SnapshotVersion {
		return 0, fmt.Errorf("%w: it is %d, this build reads %d: start with an empty state, or run the build that wrote it", ErrVersion, v, SnapshotVersion)
	}
	if epoch = b.Cols[1].Ints[r]; epoch < 0 || epoch > maxTime {
		return 0, fmt.Errorf("%w: epoch %d", ErrBatch, epoch)
	}
	return epoch, nil
}

// Resume sets the watermarks that were stored with the snapshot, after the
// last Restore, and forgets the windows that they had made the Final forget. Nothing
// is emitted: what had to fire did so before the snapshot.
func (f *Final) Resume(fire, keep int64) { f.windows.resume(fire, keep) }

// numberAt is a value that may not be null nor out of bounds.
func numberAt(c *batch.Column, r int, least int64) (int64, error) {
	if c.Null(r) || c.Ints[r] < least || c.Ints[r] > maxTime {
		return 0, fmt.Errorf("%w: row %d has a number that is missing or out of range", ErrBatch, r)
	}
	return c.Ints[r], nil
}

func appendBool(c *batch.Column, v bool) {
	c.Bools = append(c.Bools, v)
	if c.Valid != nil {
		c.Valid = c.Valid.Append(len(c.Bools)-1, true)
	}
}

// isGone tells whether row r says that its key is gone.
func isGone(b *batch.Batch, r int) bool {
	c := &b.Cols[len(b.Cols)-1]
	return !c.Null(r) && c.Bools[r]
}

// appendGone appends n rows to b, whose first columns have them already, that say that their keys are gone.
func appendGone(b *batch.Batch, keys, n int) {
	last := len(b.Cols) - 1
	for range n {
		for i := keys; i < last; i++ {
			b.Cols[i].AppendNull()
		}
		appendBool(&b.Cols[last], true)
	}
	b.N += n
}
