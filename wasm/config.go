package wasm

import (
	"fmt"
	"log/slog"
	"time"
)

// MaxRows is the largest number of rows that a guest sees in one call.
const MaxRows = 4096

// maxMemoryPages keeps guest memory below 2 GiB: an address fits in a positive
// i32, and an error's bitwise complement can be told from a result.
const maxMemoryPages = 1<<15 - 1

// Config bounds what modules may use. The zero value of every field means its
// default.
type Config struct {
	// CacheDir keeps compiled modules from one start to the next. It is made
	// with mode 0700 and must not be writable by others: what lies in it is
	// executed. Default: no cache on disk.
	CacheDir string
	// MaxCacheBytes bounds the cache; the oldest entries beyond it are removed when a host
	// starts. A module of Go takes 11 MB. Default 256 MiB.
	MaxCacheBytes int64
	// Interpreter forces the interpreter where the compiler exists as well.
	// It is 34 to 95 times slower.
	Interpreter bool
	// MaxModuleBytes bounds a module's binary. Default 8 MiB.
	MaxModuleBytes int
	// MaxMemoryPages bounds an instance's memory, in pages of 64 KiB.
	// Default 1,024 (64 MiB), at most 32,767 (below 2 GiB).
	MaxMemoryPages uint32
	// MaxTableEntries bounds the entries that a module's tables may start with or
	// grow to. Default 100,000.
	MaxTableEntries uint32
	// CallTimeout bounds one call of a guest and an instance's start, in wall
	// time. A part of a failed batch that runs again gets its share of it, at least an
	// eighth. It is a net below functions that never end, so it is wide: a busy machine must
	// not fail good rows. Default 10 s.
	CallTimeout time.Duration
	// MaxOutputPerInput bounds the bytes of an output frame per byte of its
	// input frame, over an allowance of 64 KiB. Default 64.
	MaxOutputPerInput int
	// MaxInputBytes bounds an input frame; a batch that makes a larger one is
	// called in parts, and a row that is larger by itself fails. Default: an
	// eighth of MaxMemoryPages (8 MiB).
	MaxInputBytes int
	// MaxGuiltyRows bounds the rows of one Call that are singled out after the
	// guest failed on them. Each costs at most 13 fresh instances. After that
	// many, a part on which the guest fails is rejected as a whole. Default 16.
	MaxGuiltyRows int
	// MaxFailingTime bounds the wall time that one Call spends on parts that
	// fail. After it, the rest of the batch is rejected. Default: ten times CallTimeout.
	MaxFailingTime time.Duration
	// LogBytesPerSecond bounds what one instance writes to the log; the rest is
	// dropped and counted. Default 4,096.
	LogBytesPerSecond int
	// Log receives what guests write. Default: discarded.
	Log *slog.Logger
	// Metric receives the guests' metric_add calls. Default: discarded.
	Metric func(module, name string, value float64)

	// now is the clock of the log's rate limit. Tests set it.
	now func() time.Time
	// unbounded leaves out the limiter, to measure what it costs.
	unbounded bool
}

func (c Config) withDefaults() Config {
	if c.MaxModuleBytes == 0 {
		c.MaxModuleBytes = 8 << 20
	}
	if c.MaxMemoryPages == 0 {
		c.MaxMemoryPages = 1024
	}
	if c.MaxTableEntries == 0 {
		c.MaxTableEntries = 100_000
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = 10 * time.Second
	}
	if c.MaxCacheBytes == 0 {
		c.MaxCacheBytes = 256 << 20
	}
	if c.MaxInputBytes == 0 {
		c.MaxInputBytes = int(c.MaxMemoryPages) * 65536 / 8
	}
	if c.MaxFailingTime == 0 {
		c.MaxFailingTime = 10 * c.CallTimeout
	}
	if c.MaxOutputPerInput == 0 {
		c.MaxOutputPerInput = 64
	}
	if c.MaxGuiltyRows == 0 {
		c.MaxGuiltyRows = 16
	}
	if c.LogBytesPerSecond == 0 {
		c.LogBytesPerSecond = 4096
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metric == nil {
		c.Metric = func(string, string, float64) {}
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

// Validate names the first field that has no meaning.
func (c Config) Validate() error {
	switch {
	case c.MaxModuleBytes < 0:
		return fmt.Errorf("wasm: MaxModuleBytes is %d; give a positive number of bytes, or 0 for the default", c.MaxModuleBytes)
	case c.MaxMemoryPages > maxMemoryPages:
		return fmt.Errorf("wasm: MaxMemoryPages is %d; the ABI allows at most %d pages (below 2 GiB)", c.MaxMemoryPages, maxMemoryPages)
	case c.CallTimeout < 0:
		return fmt.Errorf("wasm: CallTimeout is %v; give a positive duration, or 0 for the default", c.CallTimeout)
	case c.MaxOutputPerInput < 0:
		return fmt.Errorf("wasm: MaxOutputPerInput is %d; give a positive number, or 0 for the default", c.MaxOutputPerInput)
	case c.MaxCacheBytes < 0:
		return fmt.Errorf("wasm: MaxCacheBytes is %d; give a positive number of bytes, or 0 for the default", c.MaxCacheBytes)
	case c.MaxInputBytes < 0:
		return fmt.Errorf("wasm: MaxInputBytes is %d; give a positive number of bytes, or 0 for the default", c.MaxInputBytes)
	case c.MaxFailingTime < 0:
		return fmt.Errorf("wasm: MaxFailingTime is %v; give a positive duration, or 0 for the default", c.MaxFailingTime)
	case c.MaxGuiltyRows < 0:
		return fmt.Errorf("wasm: MaxGuiltyRows is %d; give a positive number, or 0 for the default", c.MaxGuiltyRows)
	case c.LogBytesPerSecond < 0:
		return fmt.Errorf("wasm: LogBytesPerSecond is %d; give a positive number, or 0 for the default", c.LogBytesPerSecond)
	}
	return nil
}
