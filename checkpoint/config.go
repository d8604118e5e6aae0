package checkpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/leatio/leat/checkpoint/vfs"
)

// Bounds that no configuration moves.
const (
	MaxRecordBytes = 64 << 20 // data of one record
	MaxKeyBytes    = 1 << 10  // key of an Entry, name of a stream
	MaxValueBytes  = 1 << 20  // value of an Entry
	MaxStreams     = 1 << 16  // streams alive at once

	minSegmentBytes = 4 << 10
	maxSegmentBytes = 1 << 30
)

// Config configures a Store. Only Dir has no default.
type Config struct {
	// Dir is the store's directory. It is created (mode 0700) when missing.
	Dir string

	// SegmentBytes is the size at which a new segment file is started; one
	// record may pass it. Zero means 16 MiB. 4 KiB to 1 GiB.
	SegmentBytes int64

	// MaxBytes bounds the sum of the segment files. Zero means 1 GiB. At
	// least twice SegmentBytes. store.db is not counted; it grows with the
	// entries and streams that the caller keeps, not with the outbox.
	MaxBytes int64

	// AckDelay bounds how long an acknowledgement stays in memory when no
	// commit takes it along. Zero means 1 s. An acknowledgement lost in a
	// crash costs sending the frame again, never more.
	AckDelay time.Duration

	// AcceptRollback lets Open cut off commits that store.db does not know
	// (see ErrRolledBack). The caller must then obtain a new epoch, because
	// sequence numbers are given out a second time.
	AcceptRollback bool

	// Logger gets what an operator should know: damage found, files set
	// aside. Nil discards.
	Logger *slog.Logger

	// FS is where segment files live. Nil means the operating system's.
	// store.db and the lock are always on the real one.
	FS vfs.FS
}

func (c Config) withDefaults() Config {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 16 << 20
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 1 << 30
	}
	if c.AckDelay == 0 {
		c.AckDelay = time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.FS == nil {
		c.FS = vfs.OS{}
	}
	return c
}

// Validate names the first field that is out of range.
func (c Config) Validate() error {
	c = c.withDefaults()
	switch {
	case c.Dir == "":
		return errors.New("checkpoint: Config.Dir is empty")
	case c.SegmentBytes < minSegmentBytes || c.SegmentBytes > maxSegmentBytes:
		return fmt.Errorf("checkpoint: Config.SegmentBytes is %d, expected %d to %d", c.SegmentBytes, minSegmentBytes, maxSegmentBytes)
	case c.MaxBytes < 2*c.SegmentBytes:
		return fmt.Errorf("checkpoint: Config.MaxBytes is %d, expected at least twice SegmentBytes (%d)", c.MaxBytes, 2*c.SegmentBytes)
	case c.AckDelay < 0:
		return fmt.Errorf("checkpoint: Config.AckDelay is %v, expected a positive duration", c.AckDelay)
	}
	return nil
}
