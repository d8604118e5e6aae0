package jetstream

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Defaults of Config.
const (
	DefaultPartitions     = 16
	DefaultPartitionBytes = 1 << 30
	DefaultKeysBytes      = 256 << 20
	DefaultObjectsBytes   = 16 << 30
	DefaultMaxRecordBytes = 8 << 20
	DefaultReadAheadBytes = 4 << 20
	DefaultTimeout        = 10 * time.Second
)

const (
	maxPartitions     = 4096
	maxMaxRecordBytes = 32 << 20
	// overheadBytes is what a message may take beyond its record: subject, reply, headers.
	overheadBytes = 64 << 10
)

// Config says where the store is and how large it may grow.
type Config struct {
	// Dir is the directory of the store. It is required, and made if it does not exist.
	Dir string
	// Partitions is the number of partitions; 0 = DefaultPartitions. It may grow from one opening to the next.
	Partitions int
	// PartitionBytes bounds each partition; 0 = DefaultPartitionBytes.
	PartitionBytes int64
	// KeysBytes bounds all keys together; 0 = DefaultKeysBytes.
	KeysBytes int64
	// ObjectsBytes bounds all objects together; 0 = DefaultObjectsBytes.
	ObjectsBytes int64
	// MaxRecordBytes bounds a record, and the value of a key; 0 = DefaultMaxRecordBytes.
	MaxRecordBytes int
	// ReadAheadBytes bounds what a reader holds in memory, and is at least one record; 0 = DefaultReadAheadBytes.
	ReadAheadBytes int
	// Timeout bounds a call whose context has no deadline; 0 = DefaultTimeout.
	Timeout time.Duration
	// Logger gets the server's warnings and errors; nil = slog.Default().
	Logger *slog.Logger
}

// Validate names the first field that cannot be right.
func (c Config) Validate() error {
	d := c.withDefaults()
	switch {
	case d.Dir == "":
		return errors.New("log: Dir is missing: give the directory of the store")
	case d.Partitions < 1 || d.Partitions > maxPartitions:
		return fmt.Errorf("log: Partitions is %d, it must be 1 to %d", d.Partitions, maxPartitions)
	case d.MaxRecordBytes < 1024 || d.MaxRecordBytes > maxMaxRecordBytes:
		return fmt.Errorf("log: MaxRecordBytes is %d, it must be 1024 to %d", d.MaxRecordBytes, maxMaxRecordBytes)
	case d.PartitionBytes < int64(d.MaxRecordBytes):
		return fmt.Errorf("log: PartitionBytes is %d, it must be at least MaxRecordBytes (%d)", d.PartitionBytes, d.MaxRecordBytes)
	case d.KeysBytes < 0 || d.ObjectsBytes < 0 || d.ReadAheadBytes < 0 || d.Timeout < 0:
		return errors.New("log: KeysBytes, ObjectsBytes, ReadAheadBytes and Timeout must not be negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	setDefault(&c.Partitions, DefaultPartitions)
	setDefault(&c.PartitionBytes, DefaultPartitionBytes)
	setDefault(&c.KeysBytes, DefaultKeysBytes)
	setDefault(&c.ObjectsBytes, DefaultObjectsBytes)
	setDefault(&c.MaxRecordBytes, DefaultMaxRecordBytes)
	setDefault(&c.ReadAheadBytes, DefaultReadAheadBytes)
	setDefault(&c.Timeout, DefaultTimeout)
	c.ReadAheadBytes = max(c.ReadAheadBytes, c.MaxRecordBytes+overheadBytes)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
