package engine

import (
	"strings"

	"github.com/leatio/leat/engine/batch"
)

// RejectsPort is the port under which sampled rejects travel in frames.
const RejectsPort = 1<<32 - 1

// RejectSampleBytes is how much of a rejected message travels: one byte more than
// is shown, so that the reader sees that it was cut.
const RejectSampleBytes = 257

// rejectsPerReason is how many rejects of one reason keep their own sample between two drains.
const rejectsPerReason = 10

// RejectsSchema is the schema of the rejects port: count messages were
// rejected for the reason, of which topic and sample show the first.
func RejectsSchema() batch.Schema {
	return batch.Schema{
		{Name: "received_at", Type: batch.Timestamp},
		{Name: "topic", Type: batch.String},
		{Name: "reason", Type: batch.String},
		{Name: "sample", Type: batch.Bytes},
		{Name: "count", Type: batch.Int},
	}
}

// RejectLog gathers samples of rejected messages until they leave in a frame:
// every reject is counted, the first ones of each reason keep their sample.
type RejectLog struct {
	max     int
	total   uint64
	rows    *batch.Batch
	kept    int // rows that Journal gave already
	reasons map[string]*reasonRows
}

// reasonRows is how many rows a reason has, and the last of them.
type reasonRows struct{ rows, last int }

// otherReason counts rejects once the log has no room for another row.
const otherReason = "more rejects than are sampled; see the agent's counters"

// NewRejectLog returns a log that keeps about max samples between two drains.
func NewRejectLog(max int) *RejectLog {
	return &RejectLog{max: max, rows: batch.New(RejectsSchema()), reasons: map[string]*reasonRows{}}
}

// Add counts a reject and keeps a sample of it if there is room.
func (l *RejectLog) Add(nowMicros int64, topic string, payload []byte, reason string) {
	l.total++
	at := l.reasons[reason]
	if at == nil {
		if l.rows.N >= l.max {
			reason, topic, payload = otherReason, "", nil
			at = l.reasons[reason]
		}
		if at == nil {
			at = &reasonRows{}
			l.reasons[strings.Clone(reason)] = at
		}
	}
	if at.rows > 0 && (at.rows >= rejectsPerReason || l.rows.N >= l.max) {
		l.rows.Cols[4].Ints[at.last]++
		return
	}
	c := l.rows.Cols
	for _, i := range []int{1, 2} {
		if c[i].Dict == nil {
			c[i].Dict = batch.NewDict()
		}
	}
	c[0].Ints = append(c[0].Ints, nowMicros)
	c[1].Codes = append(c[1].Codes, c[1].Dict.Code([]byte(topic)))
	c[2].Codes = append(c[2].Codes, c[2].Dict.Code([]byte(reason)))
	c[3].AppendBlob(payload[:min(len(payload), RejectSampleBytes)])
	c[4].Ints = append(c[4].Ints, 1)
	at.rows, at.last = at.rows+1, l.rows.N
	l.rows.N++
}

// Total is the number of rejects since the log was made.
func (l *RejectLog) Total() uint64 { return l.total }

// Pending is the number of samples that wait for Drain.
func (l *RejectLog) Pending() int { return l.rows.N }

// Journal gives the samples since the last Journal or Drain and keeps them.
func (l *RejectLog) Journal(emit PortEmit) error {
	if l.kept == l.rows.N {
		return nil
	}
	b := *l.rows
	for i := l.kept; i < l.rows.N; i++ {
		b.Sel = append(b.Sel, uint32(i))
	}
	l.kept = l.rows.N
	return emit(RejectsPort, &b)
}

// Restore takes back samples that Journal gave before a restart.
func (l *RejectLog) Restore(b *batch.Batch) {
	l.rows.AppendRows(b)
	l.kept = l.rows.N
}

// Drain gives the samples since the last drain, if any, and forgets them when
// emit returns.
func (l *RejectLog) Drain(emit PortEmit) error {
	if l.rows.N == 0 {
		return nil
	}
	err := emit(RejectsPort, l.rows)
	l.rows.Reset()
	l.kept = 0
	clear(l.reasons)
	l.rows.Cols[1].Dict, l.rows.Cols[2].Dict = nil, nil
	return err
}
