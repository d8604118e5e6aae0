package decode

import (
	"fmt"
	"math"
	"slices"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Meta is what the decoder knows besides the plan.
type Meta struct {
	Agent  string // value of the hidden column _agent
	Limits Limits
}

// Limits bounds the work on one message. The zero value is the default.
type Limits struct {
	MessageBytes int // a larger message is rejected; 0 = 1 MiB
	Depth        int // nesting of arrays and objects, the outermost counted; 0 = 64
	Rows         int // rows of one message; 0 = 65,536
}

func (l Limits) withDefaults() Limits {
	if l.MessageBytes <= 0 {
		l.MessageBytes = 1 << 20
	}
	if l.Depth <= 0 {
		l.Depth = 64
	}
	if l.Rows <= 0 {
		l.Rows = 65536
	}
	return l
}

// format decodes the records of one format.
type format interface {
	// record decodes a record, which is a message or a line of a run, into rows
	// of the Decoder, or says why it cannot; rows may then be left to roll back.
	record(p []byte) error
}

// runner is a format that has a faster way through runs of lines.
type runner interface {
	// run decodes lines from p[i] on, as long as they are like those before, and gives the index
	// of the first that it leaves to record, and how many it took. It notes in origin.starts where each row's line begins.
	run(p []byte, i int) (next, lines int)
}

// headed is a format whose records come after a Header message.
type headed interface {
	header(m *source.Message) error
}

// RejectFunc takes a record that cannot be decoded. payload is valid until it returns.
type RejectFunc func(topic string, payload []byte, reason string)

// Decoder decodes the messages of one source. One goroutine uses it at a time.
type Decoder struct {
	format format
	limits Limits
	agent  string
	cols   []column
	hidden []int // columns that do not stand in the payload
	inputs int   // columns that do

	received int64 // when the record was received; microseconds

	rows   int // complete rows
	limit  int // rows that the columns have room for
	serial uint32
	origin origin
}

// New returns a decoder for the source's format and columns.
func New(src *plan.Source, meta Meta) (*Decoder, error) {
	d := &Decoder{limits: meta.Limits.withDefaults(), agent: meta.Agent}
	for i, c := range src.Columns {
		t := batch.Type(c.Type)
		if !t.Valid() {
			return nil, fmt.Errorf("decode: column %q has unknown type %d: the plan is damaged or from a newer Leat", c.Name, c.Type)
		}
		if want, ok := hiddenTypes[c.Hidden]; !ok || c.Hidden != plan.Hidden_HIDDEN_NONE && t != want {
			return nil, fmt.Errorf("decode: hidden column %q (kind %d) cannot have type %s: the plan is damaged or from a newer Leat", c.Name, c.Hidden, t)
		}
		if _, ok := unitShift(c.Unit); !ok {
			return nil, fmt.Errorf("decode: column %q has unknown time unit %d: the plan is damaged or from a newer Leat", c.Name, c.Unit)
		}
		d.cols = append(d.cols, newColumn(c))
		if c.Hidden != plan.Hidden_HIDDEN_NONE {
			d.hidden = append(d.hidden, i)
		} else {
			d.inputs++
		}
	}
	var err error
	d.format, err = newFormat(d, src)
	return d, err
}

// newFormat picks the format by its name.
func newFormat(d *Decoder, src *plan.Source) (format, error) {
	switch src.Format {
	case "json":
		return newJSON(d), nil
	case "csv":
		return &csvFormat{Decoder: d}, nil
	case "senml":
		return newSenML(d, src.TolerantNumbers)
	case "influx":
		return newInflux(d)
	case "cbor":
		return newCBOR(d), nil
	case "raw":
		return newRaw(d)
	}
	return nil, fmt.Errorf("decode: unknown format %q (known: json, csv, senml, influx, cbor, raw): the plan is damaged or from a newer Leat", src.Format)
}

var hiddenTypes = map[plan.Hidden]batch.Type{
	plan.Hidden_HIDDEN_NONE:        0,
	plan.Hidden_HIDDEN_TOPIC:       batch.String,
	plan.Hidden_HIDDEN_AGENT:       batch.String,
	plan.Hidden_HIDDEN_RECEIVED_AT: batch.Timestamp,
}

// Decode resets b and appends the rows of msgs in order; a message that is a
// JSON array of objects gives several. b has the columns of the source's
// Schema. A record that cannot be decoded gives no row and one call of reject.
// Decode gives the number of records that it met, header lines not counted. b.Origin names the
// records that rows came from; it is valid until the next Decode or until the payloads end.
func (d *Decoder) Decode(b *batch.Batch, msgs []source.Message, reject RejectFunc) (records int) {
	d.begin(b, len(msgs))
	for i := range msgs {
		m := &msgs[i]
		switch {
		case m.Header:
			if f, ok := d.format.(headed); ok {
				if err := f.header(m); err != nil {
					reject(m.Topic, m.Payload, err.Error())
				}
			}
		case m.Lines:
			records += d.decodeRun(m, reject)
		default:
			records++
			d.decodeRecord(m, m.Payload, reject)
		}
		d.origin.ends = append(d.origin.ends, uint32(d.rows))
	}
	d.finish(b, msgs)
	return records
}

// decodeRun decodes the lines of a message and counts them.
func (d *Decoder) decodeRun(m *source.Message, reject RejectFunc) (lines int) {
	p := m.Payload
	fast, _ := d.format.(runner)
	for i := 0; i < len(p); {
		if fast != nil {
			next, n := fast.run(p, i)
			lines += n
			if i = next; i == len(p) {
				break
			}
		}
		line, length := source.CutLine(p[i:])
		if len(line) > 0 {
			lines++
			before := d.rows
			d.decodeRecord(m, line, reject)
			for r := before; r < d.rows; r++ {
				d.origin.starts[r] = uint32(i)
			}
		}
		i += length
	}
	return lines
}

// decodeRecord decodes a record, or rejects it.
func (d *Decoder) decodeRecord(m *source.Message, p []byte, reject RejectFunc) {
	if m.Oversized || len(p) > d.limits.MessageBytes {
		reject(m.Topic, p[:min(len(p), source.OversizedSample)], fmt.Sprintf("the message is larger than the limit (%d bytes)", d.limits.MessageBytes))
		return
	}
	before := d.rows
	d.received = m.ReceivedMicros
	if err := d.format.record(p); err != nil {
		d.rollback(before)
		reject(m.Topic, p, err.Error())
	}
}

// begin takes over the memory of b's columns and makes room for a row per message.
func (d *Decoder) begin(b *batch.Batch, rows int) {
	if len(b.Cols) != len(d.cols) {
		panic(fmt.Sprintf("BUG: a batch of %d columns for a decoder of %d", len(b.Cols), len(d.cols)))
	}
	b.Reset()
	d.rows, d.limit = 0, 0
	d.origin.ends = d.origin.ends[:0]
	for i := range d.cols {
		d.cols[i].begin(&b.Cols[i])
	}
	d.grow(rows)
}

// grow makes room for at least rows rows.
func (d *Decoder) grow(rows int) {
	rows = max(rows, 64)
	for i := range d.cols {
		d.cols[i].grow(rows)
	}
	d.origin.starts = extend(d.origin.starts, rows)
	d.limit = rows
}

// startRow makes the row d.rows writable.
func (d *Decoder) startRow() {
	if d.rows == d.limit || d.serial == math.MaxUint32 {
		d.renew()
	}
	d.serial++
}

// renew makes room for rows; every 2^32 rows the stamps start anew.
func (d *Decoder) renew() {
	if d.rows == d.limit {
		d.grow(2 * d.limit)
	}
	if d.serial == math.MaxUint32 {
		for i := range d.cols {
			d.cols[i].seen = 0
		}
		d.serial = 0
	}
}

// endRow counts the row; seen is how many of its columns were set.
func (d *Decoder) endRow(seen int) {
	if seen != d.inputs {
		d.setMissing()
	}
	d.rows++
}

// setMissing makes the columns null that the row did not set.
func (d *Decoder) setMissing() {
	for i := range d.cols {
		c := &d.cols[i]
		if c.hidden == plan.Hidden_HIDDEN_NONE && c.seen != d.serial {
			c.setNull(d.rows)
		}
	}
}

func (d *Decoder) rollback(rows int) {
	d.rows = rows
	for i := range d.cols {
		d.cols[i].rollback(rows)
	}
}

// finish gives the columns back to b.
func (d *Decoder) finish(b *batch.Batch, msgs []source.Message) {
	b.N = d.rows
	d.origin.messages = msgs
	for _, i := range d.hidden {
		d.fillHidden(&d.cols[i], msgs)
	}
	for i := range d.cols {
		d.cols[i].finish(&b.Cols[i], d.rows)
	}
	b.Origin = &d.origin
}

func (d *Decoder) fillHidden(c *column, msgs []source.Message) {
	switch c.hidden {
	case plan.Hidden_HIDDEN_AGENT:
		code := c.dict.CodeString(d.agent)
		for r := range d.rows {
			c.codes[r] = code
		}
	case plan.Hidden_HIDDEN_TOPIC:
		topic, code, known := "", uint32(0), false
		r := 0
		for m, end := range d.origin.ends {
			if t := msgs[m].Topic; r < int(end) && (!known || t != topic) {
				topic, code, known = t, c.dict.CodeString(t), true
			}
			for ; r < int(end); r++ {
				c.codes[r] = code
			}
		}
	case plan.Hidden_HIDDEN_RECEIVED_AT:
		r := 0
		for m, end := range d.origin.ends {
			for ; r < int(end); r++ {
				c.ints[r] = msgs[m].ReceivedMicros
			}
		}
	}
}

// origin is the batch.Origin of the batch that was decoded last. It finds a row's
// record when it is asked for one, which is seldom.
type origin struct {
	messages []source.Message
	ends     []uint32 // by message: the rows up to and with it
	starts   []uint32 // by row: where its line begins, of rows of runs of lines
}

// Message implements batch.Origin.
func (o *origin) Message(row int) (topic string, payload []byte) {
	i, _ := slices.BinarySearch(o.ends, uint32(row)+1)
	m := &o.messages[i]
	if !m.Lines {
		return m.Topic, m.Payload
	}
	line, _ := source.CutLine(m.Payload[o.starts[row]:])
	return m.Topic, line
}
