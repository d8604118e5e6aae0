// Package file writes the rows of an edge sink as JSON lines into a file.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/leatio/leat/agent/sink"
)

// Config of an Outlet.
type Config struct {
	Path string
	// MaxBytes is the size at which the file is renamed to Path.1 (replacing an
	// older one) and begun anew; 0 = never.
	MaxBytes int64
}

// Outlet appends to a file. It is a sink.Outlet.
type Outlet struct {
	cfg  Config
	file *os.File
	buf  []byte
}

// New returns an outlet; the file is opened by the first Deliver.
func New(cfg Config) *Outlet { return &Outlet{cfg: cfg} }

// Deliver appends a line for each message and syncs the file.
func (o *Outlet) Deliver(_ context.Context, messages []sink.Message) (delivered int, err error) {
	o.buf = o.buf[:0]
	for _, m := range messages {
		o.buf = append(append(o.buf, m.Payload...), '\n')
	}
	if err := o.append(); err != nil {
		return 0, fmt.Errorf("file sink: %w: %w", sink.ErrUnreachable, err)
	}
	return len(messages), nil
}

// append writes the buffer at the end of the file, in one call: another sink may
// write to the same file.
func (o *Outlet) append() error {
	size, err := o.open()
	if err != nil {
		return err
	}
	if o.cfg.MaxBytes > 0 && size > 0 && size+int64(len(o.buf)) > o.cfg.MaxBytes {
		if err := o.rotate(); err != nil {
			return err
		}
		if size, err = o.open(); err != nil {
			return err
		}
	}
	if n, err := o.file.Write(o.buf); err != nil {
		if n > 0 {
			err = errors.Join(err, o.file.Truncate(size))
		}
		return err
	}
	return o.file.Sync()
}

// open opens the file unless it is open, or was moved away by someone else, and gives its
// size. What a crash left of a line is cut off.
func (o *Outlet) open() (size int64, err error) {
	if o.file != nil {
		now, err := os.Stat(o.cfg.Path)
		if err == nil {
			mine, serr := o.file.Stat()
			if serr == nil && os.SameFile(now, mine) {
				return mine.Size(), nil
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		if err := o.Close(); err != nil {
			return 0, err
		}
	}
	f, err := os.OpenFile(o.cfg.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return 0, err
	}
	if size, err = endOfLines(f); err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	o.file = f
	return size, nil
}

// endOfLines is where the last whole line ends: a crash may have left a part of one.
func endOfLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		n := min(end, int64(len(buf)))
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] == '\n' {
				return end - n + i + 1, nil
			}
		}
		end -= n
	}
	return 0, nil
}

func (o *Outlet) rotate() error {
	if err := o.Close(); err != nil {
		return err
	}
	return os.Rename(o.cfg.Path, o.cfg.Path+".1")
}

// Close closes the file.
func (o *Outlet) Close() error {
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	return err
}
