package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/leatio/leat/agent/source"
)

// block is a run of records of one file. Record i is data[ends[i-1]:ends[i]],
// with its line end; of lines there is one piece, which holds them all.
type block struct {
	data           []byte
	ends           []uint32
	path           string
	offset         int64 // of data[0] in the file
	after          int64 // where the file goes on behind the block
	receivedMicros int64
	fresh          bool // the first block of a CSV file, which begins with its header
	oversized      bool
	lines          bool // its piece is a run of lines

	// Owned by Take.
	taken int
	start uint32
}

// reader cuts one file into blocks.
type reader struct {
	s     *Source
	path  string
	in    io.Reader
	block *block // being filled: the beginning of a record, and whole ones once cut
	cut   cutter
	fresh bool // nothing was given yet
	eof   bool
}

func (s *Source) newReader(ctx context.Context, path string, in io.Reader, offset int64) (*reader, error) {
	r := &reader{s: s, path: path, in: in, fresh: offset == 0, cut: cutter{csv: s.cfg.CSV, most: s.cfg.MaxRecordBytes}}
	return r, r.begin(ctx, offset, nil)
}

// read gives the records of a file from an offset on.
func (s *Source) read(ctx context.Context, path string, in io.Reader, offset int64) error {
	if offset > 0 {
		seeker, ok := in.(io.Seeker)
		if !ok {
			return fmt.Errorf("file source: %w: %s cannot be read from the middle", ErrPosition, path)
		}
		if s.cfg.CSV {
			if err := s.readHeader(ctx, path, in, offset); err != nil {
				return err
			}
		}
		if _, err := seeker.Seek(offset, io.SeekStart); err != nil {
			return fmt.Errorf("file source: %w", err)
		}
	}
	r, err := s.newReader(ctx, path, in, offset)
	if err != nil {
		return err
	}
	for !r.eof && err == nil {
		if err = r.fill(); err == nil {
			err = r.cutBlock(ctx)
		}
	}
	s.free <- r.block // empty, or of no use after a failure
	return err
}

// readHeader gives the header of a CSV file whose reading resumes at an offset.
func (s *Source) readHeader(ctx context.Context, path string, in io.Reader, offset int64) error {
	r, err := s.newReader(ctx, path, in, 0)
	if err != nil {
		return err
	}
	b := r.block
	for v := needMore; v == needMore && len(b.data) <= s.cfg.MaxRecordBytes; {
		if err := r.fill(); err != nil {
			return err
		}
		r.dropMark()
		r.cut.restart(0)
		b.ends, v = r.cut.cut(b.data, b.ends[:0], r.eof)
		start := uint32(0)
		for _, end := range b.ends {
			if len(trimEnd(b.data[start:end])) == 0 {
				start = end
				continue
			}
			b.data, b.ends = append(b.data[:0], b.data[start:end]...), append(b.ends[:0], end-start)
			b.fresh, b.after = true, offset // the position stays where it was
			s.give(b)
			return nil
		}
	}
	s.free <- b
	return nil // the records that follow are rejected for want of a header, as the first time
}

// begin takes a free block, whose data begins at an offset of the file with
// the given bytes.
func (r *reader) begin(ctx context.Context, offset int64, head []byte) error {
	select {
	case b := <-r.s.free:
		size := max(r.s.cfg.BlockBytes, 2*len(head))
		*b = block{data: b.data[:0], ends: b.ends[:0], path: r.path, offset: offset, receivedMicros: r.s.cfg.Now().UnixMicro()}
		if cap(b.data) < size || cap(b.data) > 2*size { // also gives back what a long record needed
			b.data = make([]byte, 0, size)
		}
		b.data = append(b.data, head...)
		r.block = b
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fill reads more behind what the block holds.
func (r *reader) fill() error {
	b := r.block
	if len(b.data) == cap(b.data) { // one record fills it all
		b.data = slices.Grow(b.data, len(b.data))
	}
	for empty := 0; ; empty++ {
		n, err := r.in.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		switch {
		case errors.Is(err, io.EOF):
			r.eof = true
			return nil
		case err != nil:
			return fmt.Errorf("file source: reading %s: %w", r.path, err)
		case n > 0:
			return nil
		case empty == 100:
			return fmt.Errorf("file source: reading %s: %w", r.path, io.ErrNoProgress)
		}
	}
}

// cutBlock cuts what was read and gives the whole records away. The beginning
// of the next one moves to another block.
func (r *reader) cutBlock(ctx context.Context) error {
	r.dropMark()
	for {
		b := r.block
		ends, v := r.cut.cut(b.data, b.ends[:0], r.eof)
		b.ends = ends
		if n := len(ends); n > 0 {
			end := int(ends[n-1])
			b.fresh, r.fresh = r.fresh && r.s.cfg.CSV, false
			b.after, b.lines = b.offset+int64(end), !r.s.cfg.CSV
			rest := b.data[end:]
			b.data = b.data[:end]
			if err := r.hand(ctx, rest); err != nil {
				return err
			}
			r.cut.moved(end)
		}
		if v != tooLong {
			return nil
		}
		if err := r.skipLong(ctx); err != nil {
			return err
		}
	}
}

// hand gives the block to Take and begins the next with the bytes that follow it.
func (r *reader) hand(ctx context.Context, rest []byte) error {
	b := r.block
	if err := r.begin(ctx, b.after, rest); err != nil { // copies rest before Take can give b back
		return err
	}
	r.s.give(b)
	return nil
}

// skipLong gives the beginning of a record that exceeds the limit and reads on
// to the first line end behind the limit.
func (r *reader) skipLong(ctx context.Context) error {
	b := r.block
	from := r.s.cfg.MaxRecordBytes
	sample := bytes.Clone(b.data[:min(from, source.OversizedSample)])
	for {
		if k := bytes.IndexByte(b.data[from:], '\n'); k >= 0 {
			b.offset += int64(from + k + 1)
			b.data = append(b.data[:0], b.data[from+k+1:]...)
			break
		}
		b.offset += int64(len(b.data))
		b.data, from = b.data[:0], 0
		if r.eof {
			break
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
	rest := bytes.Clone(b.data)
	b.data, b.ends = append(b.data[:0], sample...), append(b.ends[:0], uint32(len(sample)))
	b.after, b.oversized = b.offset, true
	b.fresh, r.fresh = r.fresh && r.s.cfg.CSV, false
	if err := r.hand(ctx, rest); err != nil {
		return err
	}
	r.cut.restart(0)
	return nil
}

// dropMark takes a byte order mark off the beginning of a file.
func (r *reader) dropMark() {
	b := r.block
	if r.fresh && b.offset == 0 && bytes.HasPrefix(b.data, []byte("\xEF\xBB\xBF")) {
		b.data = append(b.data[:0], b.data[3:]...)
		b.offset = 3
		r.cut.restart(0)
	}
}

// give hands a block to Take. There is room: the channel holds all blocks.
func (s *Source) give(b *block) {
	s.blocks <- b
	s.wake()
}
