package checkpoint

import (
	"fmt"
	"io"
)

// Read windows of the scan. Records further apart than the large window are
// read by their headers alone.
const (
	largeWindow = 64 << 10
	smallWindow = 4 << 10
)

// scanner walks the record headers of one segment. It reads the data only where
// it lies between headers anyway, and does not check it: that is Read's part.
type scanner struct {
	r    io.ReaderAt
	seed uint32
	off  int64 // of the next header
	end  int64 // nothing counts from here on

	buf    []byte // allocated once, largeWindow bytes
	win    []byte // the part of buf that holds bytes of the file
	winOff int64

	// skipped is called for bytes that are no record, once per stretch.
	skipped func(from, to int64)
}

func newScanner(r io.ReaderAt, seed uint32, from, end int64, skipped func(from, to int64)) *scanner {
	return &scanner{r: r, seed: seed, off: from, end: end, buf: make([]byte, largeWindow), skipped: skipped}
}

// next returns the next record's header and offset. It passes over bytes that
// are no record to the next place where a header is valid. ok is false at the
// end. An error is one of reading the file.
func (s *scanner) next() (h recordHeader, at int64, ok bool, err error) {
	from := s.off
	for s.off+recordHeaderBytes <= s.end {
		b, err := s.window(s.off)
		if err != nil {
			return h, 0, false, err
		}
		h, ok := parseRecordHeader(b, s.seed, s.off)
		if ok && s.off+recordBytes(int(h.length)) <= s.end {
			if from != s.off {
				s.skipped(from, s.off)
			}
			at := s.off
			s.off += recordBytes(int(h.length))
			return h, at, true, nil
		}
		s.off += recordAlign
	}
	s.off = s.end
	if from != s.end {
		s.skipped(from, s.end)
	}
	return h, 0, false, nil
}

// window returns the bytes of a header at off.
func (s *scanner) window(off int64) ([]byte, error) {
	if i := off - s.winOff; i >= 0 && i+recordHeaderBytes <= int64(len(s.win)) {
		return s.win[i:], nil
	}
	size := int64(largeWindow)
	if far := off - s.winOff - int64(len(s.win)); far > largeWindow {
		size = smallWindow
	}
	s.win, s.winOff = s.buf[:min(size, s.end-off)], off
	n, err := s.r.ReadAt(s.win, off)
	if n < len(s.win) {
		s.win = nil
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read %d bytes at offset %d: %w", min(size, s.end-off), off, err)
	}
	return s.win, nil
}
