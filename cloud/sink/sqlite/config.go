package sqlite

import (
	"errors"
	"fmt"
	"time"
)

// Defaults of Config and QueryLimits.
const (
	DefaultMaxBytes   = 64 << 30
	DefaultQueries    = 2
	DefaultTempBytes  = 256 << 20
	DefaultQueryRows  = 10_000
	DefaultQueryTime  = 10 * time.Second
	DefaultQueryBytes = 16 << 20
)

const pageBytes = 4096

// Config says where the database is and how large it may grow.
type Config struct {
	// Path is the database file. It is required, and made if it does not exist; its directory must exist.
	Path string
	// MaxBytes bounds the database file: at the limit Apply fails with sink.ErrFull; 0 = DefaultMaxBytes.
	MaxBytes int64
	// Queries is how many queries run at once; 0 = DefaultQueries.
	Queries int
	// TempBytes bounds the temporary files of all queries together; 0 = DefaultTempBytes.
	TempBytes int64
}

// Validate names the first field that cannot be right.
func (c Config) Validate() error {
	d := c.withDefaults()
	switch {
	case d.Path == "":
		return errors.New("tables: Path is missing: give the database file")
	case d.MaxBytes < 64*pageBytes || d.MaxBytes/pageBytes > 1<<32-2:
		return fmt.Errorf("tables: MaxBytes is %d, it must be %d to 2^44", d.MaxBytes, 64*pageBytes)
	case d.Queries < 1 || d.Queries > 64:
		return fmt.Errorf("tables: Queries is %d, it must be 1 to 64", d.Queries)
	case d.TempBytes < 0:
		return fmt.Errorf("tables: TempBytes is negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.Queries == 0 {
		c.Queries = DefaultQueries
	}
	if c.TempBytes == 0 {
		c.TempBytes = DefaultTempBytes
	}
	return c
}

// QueryLimits bounds one query. Zero fields have defaults.
type QueryLimits struct {
	Rows  int           // at most so many rows are given; 0 = DefaultQueryRows
	Time  time.Duration // the query fails after it; 0 = DefaultQueryTime
	Bytes int           // about how many bytes of values are given; 0 = DefaultQueryBytes
}

func (l QueryLimits) withDefaults() QueryLimits {
	if l.Rows <= 0 {
		l.Rows = DefaultQueryRows
	}
	if l.Time <= 0 {
		l.Time = DefaultQueryTime
	}
	if l.Bytes <= 0 {
		l.Bytes = DefaultQueryBytes
	}
	return l
}
