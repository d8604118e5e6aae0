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
	size int64
	buf  []byte
}

// New returns an outlet; the file is opened by the first Deliver.
func New(cfg Config) *Outlet { return &Outlet{cfg: cfg} }

// Deliver appends a line for each message and syncs the file. What an earlier
// failure left of a line is cut off first.
func (o *Outlet) Deliver(_ context.Context, messages []sink.Message) error {
	o.buf = o.buf[:0]
	for _, m := range messages {
		o.buf = append(append(o.buf, m.Payload...), '\n')
	}
	if err := o.open(); err != nil {
		return err
	}
	if o.cfg.MaxBytes > 0 && o.size > 0 && o.size+int64(len(o.buf)) > o.cfg.MaxBytes {
		if err := o.rotate(); err != nil {
			return err
		}
	}
	if _, err := o.file.WriteAt(o.buf, o.size); err != nil {
		return errors.Join(err, o.file.Truncate(o.size))
	}
	if err := o.file.Sync(); err != nil {
		return err
	}
	o.size += int64(len(o.buf))
	return nil
}

// open opens the file unless it is open, or was moved away by someone else.
func (o *Outlet) open() error {
	if o.file != nil {
		now, err := os.Stat(o.cfg.Path)
		if err == nil {
			mine, serr := o.file.Stat()
			if serr == nil && os.SameFile(now, mine) {
				return nil
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := o.Close(); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(o.cfg.Path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("file sink: %w", err)
	}
	o.file = f
	o.size, err = endOfLines(f)
	return err
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
	if err := os.Rename(o.cfg.Path, o.cfg.Path+".1"); err != nil {
		return err
	}
	return o.open()
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
