package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// readRecord reads a record at its place and checks all of it. The file is
// opened anew each time: that costs a few microseconds, and no table of open
// files has to be bounded or shared with the writer, which may delete the
// segment at any time.
func (s *Store) readRecord(st *Stream, kind Kind, seq uint64, l loc) (data []byte, err error) {
	lost := &CorruptError{Stream: st.name, Kind: kind, Seq: seq}
	if l.segment == 0 {
		lost.Reason = "its header was damaged, or its file cut off or removed, before the store was opened"
		return nil, lost
	}
	lost.File, lost.Offset = path.Join(s.dir, segmentName(l.segment)), int64(l.offset)
	f, err := s.fs.Open(lost.File)
	if errors.Is(err, fs.ErrNotExist) {
		lost.Reason = "the file is gone"
		return nil, lost
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: read %s %d of stream %q: %w", kind, seq, st.name, err)
	}
	b := make([]byte, recordHeaderBytes+int(l.length))
	n, err := f.ReadAt(b, int64(l.offset))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	switch {
	case n < len(b) && (err == nil || errors.Is(err, io.EOF)):
		lost.Reason = fmt.Sprintf("the file ends %d bytes into the record", n)
		return nil, lost
	case n < len(b):
		return nil, fmt.Errorf("checkpoint: read %s %d of stream %q from %s at offset %d: %w", kind, seq, st.name, lost.File, lost.Offset, err)
	}
	data = b[recordHeaderBytes:]
	h, ok := parseRecordHeader(b, segmentSeed(s.id, l.segment), int64(l.offset))
	switch {
	case !ok:
		lost.Reason = "the header's checksum is wrong"
	case h.kind != kind || h.seq != seq || h.length != l.length:
		lost.Reason = fmt.Sprintf("the header belongs to %s %d of stream %d", h.kind, h.seq, h.stream)
	case h.dataSum != Checksum(data):
		lost.Reason = "the data's checksum is wrong"
	default:
		return data, nil
	}
	lost.Data = data
	return nil, lost
}

// met counts and logs a damaged record once it is certain, and sees to it that
// its file is kept for inspection.
func (s *Store) met(err error) error {
	var c *CorruptError
	if !errors.As(err, &c) {
		return err
	}
	s.count.corrupt.Add(1)
	s.cfg.Logger.Warn("a record is lost", "stream", c.Stream, "kind", c.Kind.String(), "seq", c.Seq, "file", c.File, "offset", c.Offset, "reason", c.Reason)
	if number, ok := parseSegmentName(path.Base(c.File)); ok {
		s.markDamaged(number)
	}
	return err
}
