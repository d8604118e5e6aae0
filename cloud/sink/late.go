package sink

import "github.com/leatio/leat/engine/batch"

const (
	lateName       = "late"
	lateKeepMicros = 90 * 24 * 3600 * 1_000_000 // 90 days, as every table by default
)

// LateTable is the plain table of partials that came for windows which are
// forgotten, with samples: partials says for how many of them a row speaks.
func LateTable() Table {
	return Table{
		Name: lateName,
		Schema: batch.Schema{
			{Name: "pipeline", Type: batch.String},
			{Name: "agent", Type: batch.String},
			{Name: "key", Type: batch.String}, // a JSON object; null where a row speaks for several
			{Name: "slice_start", Type: batch.Timestamp},
			{Name: "slice_end", Type: batch.Timestamp},
			{Name: "rows", Type: batch.Int}, // null where the window does not count
			{Name: "watermark", Type: batch.Timestamp},
			{Name: "partials", Type: batch.Int},
		},
		KeepMicros: lateKeepMicros,
		TimeColumn: 4,
	}
}
