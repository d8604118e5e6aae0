package cases

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine/compile"
)

// messages is a source that gives the rows of a case and ends.
type messages struct {
	rows  []compile.CaseMessage
	ready chan struct{}
}

func newMessages(rows []compile.CaseMessage) *messages {
	m := &messages{rows: rows, ready: make(chan struct{}, 1)}
	m.ready <- struct{}{}
	return m
}

// Run has nothing to do.
func (m *messages) Run(context.Context) error { return nil }

// Ready gives a token at once.
func (m *messages) Ready() <-chan struct{} { return m.ready }

// Take gives up to max rows.
func (m *messages) Take(c *source.Chunk, max int) {
	*c = source.Chunk{}
	n := min(max, len(m.rows))
	for _, r := range m.rows[:n] {
		c.Messages = append(c.Messages, source.Message{Topic: r.Topic, Payload: r.Payload})
	}
	m.rows = m.rows[n:]
	c.End = len(m.rows) == 0
	c.Dry = c.End
}

// Connected is true: silence is silence.
func (m *messages) Connected() bool { return true }

// Status says that all is well.
func (m *messages) Status() source.Status { return source.Status{Connected: true} }

// columnsOf are the columns that some row names, sorted: files have no order of their own.
func columnsOf(lists ...[]map[string]json.RawMessage) []string {
	set := map[string]bool{}
	for _, rows := range lists {
		for _, row := range rows {
			for c := range row {
				set[c] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}
