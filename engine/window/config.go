package window

import "github.com/leatio/leat/engine/batch"

// PartialConfig bounds a Partial. The zero value is the default.
type PartialConfig struct {
	// MaxGroups is the number of pending (key, slice) partials and of known keys at which Full asks
	// for a Drain. One batch may go beyond it by its own rows. 0 = 1,000,000.
	MaxGroups int
	// KeepKeys is the number of keys that stay known after a Drain; with more, all are forgotten
	// and learned again. 0 = 250,000.
	KeepKeys int
	// KeepKeyBytes bounds the bytes of the known keys in the same way. 0 = 16 MiB.
	KeepKeyBytes int
	// CanForward says that somebody drains the forwarded rows. Without it every row becomes part of a partial.
	CanForward bool
	// OnLate is given rows that are late for one or more of their windows: the input's columns and
	// _late_for, the number of windows missed. The batch is valid until it returns. Nil = nobody wants them.
	OnLate func(b *batch.Batch)
	// OnOverflow is given the rows of new groups beyond the plan's bound where its policy is to reject them. Nil = they are only counted.
	OnOverflow func(b *batch.Batch, row int)
}

// defaultMaxGroups bounds the groups in a slice where the plan gives no bound.
const defaultMaxGroups = 1_000_000

func (c PartialConfig) withDefaults() PartialConfig {
	if c.MaxGroups <= 0 {
		c.MaxGroups = 1_000_000
	}
	if c.KeepKeys <= 0 {
		c.KeepKeys = 250_000
	}
	if c.KeepKeyBytes <= 0 {
		c.KeepKeyBytes = 16 << 20
	}
	return c
}

// FinalConfig configures a Final. The zero value is the default.
type FinalConfig struct {
	// LastOnly fires a window once, when nothing more can change it (end + allowed lateness <= fire
	// watermark), as `leat run` does over a bounded source.
	LastOnly bool
	// MaxStates bounds the (key, window) states held; a Merge or Restore that would pass it is refused
	// with ErrFull. 0 = 16,000,000.
	MaxStates int
	// SayGone makes snapshots say what was forgotten, by rows that delete their keys: what a store of the rows by
	// SnapshotKeys needs.
	SayGone bool
	// Completeness gives what the columns _agents_seen and _agents_expected say of windows that end at
	// windowEnd, where the window has these columns. Nil = 1, 1.
	Completeness func(windowEnd int64) (seen, expected int64)
	// OnTooLate takes the partials (of forwarded rows: as partials) that can change no window any more,
	// which are dropped and counted; the batch is valid until it returns. Nil = they are only counted.
	OnTooLate func(partials *batch.Batch)
}

func (c FinalConfig) withDefaults() FinalConfig {
	if c.MaxStates <= 0 {
		c.MaxStates = 16_000_000
	}
	return c
}
