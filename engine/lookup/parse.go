package lookup

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Column is a wanted column of a file.
type Column struct {
	Name string
	Type batch.Type
	Unit plan.TimeUnit // of timestamps
}

// Parse reads the columns of a CSV file with a header, or of JSON: a list of
// objects, or objects one after the other. name tells which: .csv, .json, .jsonl or .ndjson. Columns of
// the file that are not wanted are passed over; an empty field, null and a missing key are null.
func Parse(name string, data []byte, columns []Column) (*Table, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%w %s: %d bytes, at most %d are allowed", ErrParse, name, len(data), MaxBytes)
	}
	if len(columns) == 0 || len(columns) > MaxColumns {
		return nil, fmt.Errorf("%w %s: %d columns, allowed are 1 to %d", ErrParse, name, len(columns), MaxColumns)
	}
	p := &parser{name: name, columns: columns, t: newTable(columns)}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var err error
	switch strings.ToLower(path.Ext(name)) {
	case ".csv":
		err = p.csv(data)
	case ".json", ".jsonl", ".ndjson":
		err = p.json(data)
	default:
		err = fmt.Errorf("%w %s: expected a name that ends in .csv, .json, .jsonl or .ndjson", ErrParse, name)
	}
	if err != nil {
		return nil, err
	}
	return p.t, nil
}

func newTable(columns []Column) *Table {
	t := &Table{}
	for _, c := range columns {
		t.schema = append(t.schema, batch.Field{Name: c.Name, Type: c.Type})
	}
	t.cols = batch.New(t.schema).Cols
	return t
}

type parser struct {
	name    string
	columns []Column
	t       *Table
}

func (p *parser) fail(line int, format string, args ...any) error {
	return fmt.Errorf("%w: %s:%d: %s", ErrParse, p.name, line, fmt.Sprintf(format, args...))
}

// endRow counts a row that every column has a value of.
func (p *parser) endRow(line int) error {
	if p.t.rows++; p.t.rows > MaxRows || p.t.rows*len(p.columns) > MaxValues {
		return p.fail(line, "more than %d rows or %d values", MaxRows, MaxValues)
	}
	p.t.lines = append(p.t.lines, line)
	return nil
}

func (p *parser) csv(data []byte) error {
	r := csv.NewReader(bytes.NewReader(data))
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return p.fail(1, "the file is empty, expected a header with the names of the columns")
	}
	if err != nil {
		return p.csvError(err)
	}
	at, err := p.header(header)
	if err != nil {
		return err
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return p.csvError(err)
		}
		line, _ := r.FieldPos(0)
		for k, c := range p.columns {
			if err := p.text(&p.t.cols[k], c, record[at[k]]); err != nil {
				line, _ := r.FieldPos(at[k])
				return p.fail(line, "column %q: %v", c.Name, err)
			}
		}
		if err := p.endRow(line); err != nil {
			return err
		}
	}
}

func (p *parser) csvError(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return p.fail(parse.Line, "malformed CSV: %v", parse.Err)
	}
	return p.fail(1, "%v", err)
}

// header gives the field of each column.
func (p *parser) header(names []string) ([]int, error) {
	at := make([]int, len(p.columns))
	for k, c := range p.columns {
		at[k] = -1
		for i, n := range names {
			if strings.TrimSpace(n) != c.Name {
				continue
			}
			if at[k] >= 0 {
				return nil, p.fail(1, "the header names %q twice", c.Name)
			}
			at[k] = i
		}
		if at[k] < 0 {
			return nil, p.fail(1, "the header has no column %q; it has %s", c.Name, strings.Join(names, ", "))
		}
	}
	return at, nil
}

func (p *parser) json(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	lines := lineCounter{data: data}
	list := bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("["))
	if list {
		if _, err := d.Token(); err != nil {
			return p.jsonError(&lines, d, err)
		}
	}
	for {
		if list && !d.More() {
			if _, err := d.Token(); err != nil { // the closing bracket
				return p.jsonError(&lines, d, err)
			}
			if _, err := d.Token(); !errors.Is(err, io.EOF) {
				return p.fail(lines.at(d.InputOffset()), "something follows the list")
			}
			return nil
		}
		line := lines.at(lines.next(d.InputOffset()))
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			if !list && errors.Is(err, io.EOF) {
				return nil
			}
			return p.jsonError(&lines, d, err)
		}
		if row == nil {
			return p.fail(line, "expected an object, not null")
		}
		for k, c := range p.columns {
			if err := p.value(&p.t.cols[k], c, row[c.Name]); err != nil {
				return p.fail(line, "column %q: %v", c.Name, err)
			}
		}
		if err := p.endRow(line); err != nil {
			return err
		}
	}
}

func (p *parser) jsonError(lines *lineCounter, d *json.Decoder, err error) error {
	at := d.InputOffset()
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &typ):
		return p.fail(lines.at(lines.next(at)), "expected an object, not %s", typ.Value)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("it ends too early")
	}
	return p.fail(lines.at(at), "malformed JSON: %v", err)
}

// lineCounter tells lines from offsets that rise.
type lineCounter struct {
	data  []byte
	seen  int64
	lines int
}

func (l *lineCounter) at(offset int64) int {
	offset = min(max(offset, l.seen), int64(len(l.data)))
	l.lines += bytes.Count(l.data[l.seen:offset], []byte("\n"))
	l.seen = offset
	return l.lines + 1
}

// next is where the value after an offset begins.
func (l *lineCounter) next(offset int64) int64 {
	for offset < int64(len(l.data)) && bytes.IndexByte([]byte(" \t\r\n,"), l.data[offset]) >= 0 {
		offset++
	}
	return offset
}
