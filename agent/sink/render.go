package sink

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/internal/jsonl"
)

// Template is a topic with {column} in it.
type Template struct {
	parts   []string // text, between the columns
	columns []int
}

// ParseTemplate reads a topic template over the columns of s.
func ParseTemplate(text string, s batch.Schema) (Template, error) {
	var t Template
	rest := text
	for {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			t.parts = append(t.parts, rest)
			return t, nil
		}
		end := strings.IndexByte(rest[open:], '}')
		if end < 0 {
			return t, fmt.Errorf("topic %q: a { is not closed", text)
		}
		name := rest[open+1 : open+end]
		at := s.Index(name)
		if at < 0 {
			return t, fmt.Errorf("topic %q: there is no column %q", text, name)
		}
		t.parts, t.columns = append(t.parts, rest[:open]), append(t.columns, at)
		rest = rest[open+end+1:]
	}
}

// maxLevelBytes bounds what a value adds to a topic, which may have 65,535 bytes in all.
const maxLevelBytes = 1000

// Expand gives the topic of a row. What a topic's level cannot hold (/, +, #, control
// characters, what is no UTF-8) becomes _ within a value, and so does a null.
func (t *Template) Expand(b *batch.Batch, row int) string {
	if len(t.columns) == 0 {
		return t.parts[0]
	}
	var out strings.Builder
	for i, col := range t.columns {
		out.WriteString(t.parts[i])
		level := "_"
		if c := &b.Cols[col]; !c.Null(row) {
			level = levelOf(c, row)
		}
		out.WriteString(level)
	}
	out.WriteString(t.parts[len(t.parts)-1])
	return out.String()
}

func levelOf(c *batch.Column, row int) string {
	var text string
	switch c.Type {
	case batch.String:
		text = c.Str(row)
	case batch.Bool:
		text = strconv.FormatBool(c.Bools[row])
	case batch.Double:
		text = string(jsonl.AppendDouble(nil, c.Doubles[row]))
	case batch.Bytes:
		text = string(c.Blob(row))
	default:
		text = strconv.FormatInt(c.Ints[row], 10)
	}
	if text == "" {
		return "_"
	}
	if len(text) > maxLevelBytes {
		text = text[:maxLevelBytes]
	}
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '+' || r == '#' || unicode.IsControl(r) || r == utf8.RuneError || r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef {
			return '_'
		}
		return r
	}, text)
}

// Renderer makes messages of a sink's rows.
type Renderer struct {
	schema batch.Schema
	topic  Template
	name   string
	one    [1]uint32
}

// NewRenderer makes messages with the ids name/record/position.
func NewRenderer(name, topic string, s batch.Schema) (*Renderer, error) {
	t, err := ParseTemplate(topic, s)
	if err != nil {
		return nil, err
	}
	return &Renderer{schema: s, topic: t, name: name}, nil
}

// Append appends a message for each counting row of b to dst, the messages of a record of the queue.
func (r *Renderer) Append(dst []Message, record uint64, b *batch.Batch) []Message {
	prefix := r.name + "/" + strconv.FormatUint(record, 10) + "/"
	row := *b
	row.Sel = r.one[:]
	for k := range b.Len() {
		r.one[0] = uint32(k)
		if b.Sel != nil {
			r.one[0] = b.Sel[k]
		}
		payload := jsonl.AppendString([]byte(`{"_id":`), prefix+strconv.Itoa(len(dst)))
		end := len(payload)
		payload = jsonl.Append(payload, r.schema, &row)
		payload = payload[:len(payload)-1] // the line's end
		if payload[end+1] == '}' {
			payload = append(payload[:end], '}')
		} else {
			payload[end] = ',' // instead of the object's brace
		}
		dst = append(dst, Message{Topic: r.topic.Expand(b, int(r.one[0])), Payload: payload})
	}
	return dst
}
