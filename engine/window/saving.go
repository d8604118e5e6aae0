package window

// Where most rows have a key and slice of their own, partials are larger than the rows. saving watches
// how many rows made how many partials from one flush to the next (or the one after, until there are a thousand rows), and forwards rows while it is not worth it:
//
//	               fewer than 1.3 rows a partial, twice
//	aggregating ────────────────────────────────────────▶ forwarding
//	     ▲  ▲                                                │  ▲
//	     │  └─ more than 1.5 ─┐                 after n flushes │  otherwise, with twice the n
//	     │                    │                              ▼  │
//	     └────────────────────┴───────────────────────────── trying (aggregates for one flush)
//
// What is aggregated where never shows in results.
type saving struct {
	can      bool
	forwards bool
	rows     int64 // aggregated since the last verdict, as of the last flush made into
	partials int64 // these
	poor     int   // verdicts in a row that it saved little
	wait     int   // flushes until the next try
	pause    int   // flushes between tries; 0 = none yet
	trying   bool
}

const (
	savingMinRows  = 1000 // fewer say nothing: their flushes are taken together
	savingLeast    = 1.3
	savingAgain    = 1.5
	savingPoor     = 2
	savingPause    = 8
	savingMaxPause = 128
)

// Flushed tells of a flush that sent partials made of the rows processed since the last one: by it the
// Partial decides whether to go on aggregating. The caller knows better than Drain, which may only have made a journal.
func (p *Partial) Flushed(partials int) { p.saving.flushed(int64(partials)) }

// Forwards tells whether rows are forwarded at present.
func (p *Partial) Forwards() bool { return p.forwards() }

func (s *saving) flushed(partials int64) {
	s.partials += partials
	if s.can && s.forwards {
		if s.wait--; s.wait <= 0 {
			s.forwards, s.trying = false, true
		}
		s.rows, s.partials = 0, 0
	}
	if !s.can || s.rows < savingMinRows {
		return
	}
	per := float64(s.rows) / float64(max(s.partials, 1))
	s.rows, s.partials = 0, 0
	switch {
	case s.trying && per < savingAgain:
		s.pause = min(2*s.pause, savingMaxPause)
		s.forwards, s.trying, s.wait = true, false, s.pause
	case s.trying:
		s.trying, s.poor, s.pause = false, 0, 0
	case per >= savingLeast:
		s.poor = 0
	default:
		if s.poor++; s.poor >= savingPoor {
			s.poor, s.pause, s.forwards, s.wait = 0, savingPause, true, savingPause
		}
	}
}
