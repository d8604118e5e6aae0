package sink

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/leatio/leat/engine/batch"
)

// SampleBytes is how many bytes of a rejected message are kept.
const SampleBytes = 256

const (
	rejectsName       = "rejects"
	rejectsKeepMicros = 90 * 24 * 3600 * 1_000_000 // 90 days, as every table by default
)

// RejectsTable is the plain table of messages and rows that could not be worked
// on, with samples; count says for how many messages the row speaks.
func RejectsTable() Table {
	return Table{
		Name: rejectsName,
		Schema: batch.Schema{
			{Name: "received_at", Type: batch.Timestamp},
			{Name: "pipeline", Type: batch.String},
			{Name: "agent", Type: batch.String},
			{Name: "topic", Type: batch.String},
			{Name: "reason", Type: batch.String},
			{Name: "sample", Type: batch.String},
			{Name: "count", Type: batch.Int},
		},
		KeepMicros: rejectsKeepMicros,
		TimeColumn: 0,
	}
}

// Sample turns the beginning of a message into the text of the column sample:
// the first SampleBytes bytes, cut at a character, when they are UTF-8
// without NUL, and \x with hexadecimal digits (as PostgreSQL writes bytes) otherwise.
func Sample(payload []byte) string {
	cut := payload[:min(len(payload), SampleBytes)]
	text := cut
	if len(cut) < len(payload) {
		text = trimPartialRune(cut)
	}
	if s := string(text); utf8.ValidString(s) && !strings.ContainsRune(s, 0) {
		return s
	}
	return `\x` + hex.EncodeToString(cut)
}

// trimPartialRune removes the beginning of a character that was cut off.
func trimPartialRune(p []byte) []byte {
	for i := len(p) - 1; i >= 0 && i >= len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				return p[:i]
			}
			return p
		}
	}
	return p
}
