package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire"
	"github.com/leatio/leat/transport/wire/columnar"
)

// Bounds of a frame; larger flushes are cut. A gateway takes payloads of 4 MiB and
// would refuse a larger one for ever. A single row may go beyond.
const (
	maxFrameRows    = 16384
	maxPayloadBytes = 2 << 20
	maxPlainBytes   = 16 << 20 // of a payload once decompressed
)

// packer turns what an edge fragment holds into frames and journal records of one stream.
type packer struct {
	stream string // name in the store
	head   wire.Header
	edge   *engine.Edge
	plan   *plan.Plan
	log    *engine.RejectLog

	sent     int64 // watermark of the last frame
	sentIdle bool
	last     bool // nothing comes after the next flush
	frames   uint64
	bytes    uint64

	journaled int // bytes of the journal since the last flush
}

// streamName names a lane in the store.
func streamName(pipelineID string, version uint64, lane uint32) string {
	return fmt.Sprintf("%s/%d/%d", pipelineID, version, lane)
}

// laneOf is the stream that a plan's frames go to.
func laneOf(p *plan.Plan) string { return streamName(p.PipelineId, p.LaneVersion(), 0) }

func (p *packer) schema(port uint32) batch.Schema { return engine.PortSchema(p.plan, port) }

// journal gives a record of what came since the last journal or flush, or nil
// when nothing did.
func (p *packer) journal() (*checkpoint.Record, error) {
	var data []byte
	emit := func(port uint32, b *batch.Batch) error {
		data = p.appendSection(data, port, b)
		return nil
	}
	if err := errors.Join(p.edge.Journal(emit), p.log.Journal(emit)); err != nil {
		return nil, err
	}
	if data == nil {
		return nil, nil
	}
	p.journaled += len(data)
	return &checkpoint.Record{Stream: p.stream, Kind: checkpoint.State, Data: data}, nil
}

// restore takes a journal record back in after a restart.
func (p *packer) restore(data []byte) error {
	p.journaled += len(data)
	for len(data) > 0 {
		n, w := binary.Uvarint(data)
		if w <= 0 || n > uint64(len(data)-w) {
			return fmt.Errorf("journal of %s: a section does not fit its record", p.stream)
		}
		sections, err := columnar.DecodePayload(data[w:w+int(n)], p.schema, columnar.Limits{MaxRows: math.MaxInt32, MaxBytes: math.MaxInt32}) // our own, with a checksum
		if err != nil {
			return fmt.Errorf("journal of %s: %w", p.stream, err)
		}
		data = data[w+int(n):]
		for _, s := range sections {
			if s.Port == engine.RejectsPort {
				p.log.Restore(s.Batch)
				continue
			}
			if err := p.edge.Restore(s.Port, s.Batch); err != nil {
				return fmt.Errorf("journal of %s: %w", p.stream, err)
			}
		}
	}
	return nil
}

// due tells whether a flush would have anything to say.
func (p *packer) due(idle bool) bool {
	return p.holds() || p.watermark() != p.sent || idle != p.sentIdle
}

// holds tells whether rows or rejects wait.
func (p *packer) holds() bool {
	rows, _ := p.edge.Pending()
	return rows > 0 || p.log.Pending() > 0
}

// watermark is what the next frame bears: it passes nothing that stays behind.
func (p *packer) watermark() int64 {
	if p.last {
		return engine.EndOfTime
	}
	return max(p.sent, p.edge.FlushWatermark())
}

// flush gives the frames of everything pending at the ports that are due. The
// last one bears the watermark; at least one is made.
func (p *packer) flush(due func(port uint32) bool, idle bool) ([]checkpoint.Record, error) {
	var sections []columnar.Section
	collect := func(port uint32, b *batch.Batch) error {
		sections = append(sections, columnar.Section{Port: port, Batch: b})
		return nil
	}
	if err := p.edge.Flush(due, collect); err != nil {
		return nil, err
	}
	var records []checkpoint.Record
	build := func() {
		var parts []content
		for _, part := range cut(sections, maxFrameRows) {
			parts = p.encode(parts, part)
		}
		for i, part := range parts {
			watermark, frameIdle := p.sent, false
			if i == len(parts)-1 {
				watermark, frameIdle = p.watermark(), idle
			}
			records = append(records, p.frame(part, watermark, frameIdle))
		}
		p.journaled = 0
	}
	if p.log.Pending() == 0 {
		build()
	} else {
		err := p.log.Drain(func(port uint32, b *batch.Batch) error {
			sections = append(sections, columnar.Section{Port: port, Batch: b})
			build()
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	rest, err := p.journalAnew(due)
	if rest != nil {
		records = append(records, *rest)
	}
	return records, err
}

// journalAnew gives a record of what waits at the ports that are not due: the
// frames before it in the commit end the journal.
func (p *packer) journalAnew(due func(port uint32) bool) (*checkpoint.Record, error) {
	var data []byte
	var held []columnar.Section
	err := p.edge.Flush(func(port uint32) bool { return !due(port) }, func(port uint32, b *batch.Batch) error {
		data = p.appendSection(data, port, b)
		held = append(held, columnar.Section{Port: port, Batch: b})
		return nil
	})
	for _, s := range held {
		err = errors.Join(err, p.edge.Restore(s.Port, s.Batch))
	}
	if err != nil || data == nil {
		return nil, err
	}
	p.journaled = len(data)
	return &checkpoint.Record{Stream: p.stream, Kind: checkpoint.State, Data: data}, nil
}

// appendSection appends a part of a journal record.
func (p *packer) appendSection(dst []byte, port uint32, b *batch.Batch) []byte {
	section := columnar.AppendPayload(nil, []columnar.Section{{Port: port, Batch: b}}, p.schema)
	dst = binary.AppendUvarint(dst, uint64(len(section)))
	return append(dst, section...)
}

// content is what a frame holds.
type content struct {
	rows    int
	payload []byte // empty = no rows
}

// encode appends the contents of the frames for sections, which it cuts in
// halves until each payload is within bounds.
func (p *packer) encode(dst []content, sections []columnar.Section) []content {
	if len(sections) == 0 {
		return append(dst, content{})
	}
	rows := 0
	for _, s := range sections {
		rows += s.Batch.Len()
	}
	payload := columnar.AppendPayload(nil, sections, p.schema)
	if rows > 1 && (len(payload) > maxPayloadBytes || columnar.PlainBytes(payload) > maxPlainBytes) {
		for _, half := range cut(sections, (rows+1)/2) {
			dst = p.encode(dst, half)
		}
		return dst
	}
	return append(dst, content{rows, payload})
}

// frame makes the stream's next frame.
func (p *packer) frame(c content, watermark int64, idle bool) checkpoint.Record {
	h := p.head
	h.Watermark, h.Rows = watermark, uint32(c.rows)
	if idle {
		h.Flags |= wire.FlagIdle
	}
	data := wire.AppendFrame(nil, h, c.payload)
	p.head.Previous = wire.Checksum(data)
	p.head.From, p.head.To = h.To+1, h.To+1
	p.sent, p.sentIdle = watermark, idle
	p.frames++
	p.bytes += uint64(len(data))
	return checkpoint.Record{Stream: p.stream, Kind: checkpoint.Frame, Seq: h.From, Data: data}
}

// cut divides sections into groups of at most limit rows; there is always one group.
func cut(sections []columnar.Section, limit int) [][]columnar.Section {
	groups := [][]columnar.Section{nil}
	room := limit
	for _, s := range sections {
		rows := s.Batch.Sel
		for from, total := 0, s.Batch.Len(); from < total; {
			if room == 0 {
				groups = append(groups, nil)
				room = limit
			}
			n := min(room, total-from)
			part := *s.Batch
			if n < total {
				part.Sel = slicedRows(rows, from, n)
			}
			last := len(groups) - 1
			groups[last] = append(groups[last], columnar.Section{Port: s.Port, Batch: &part})
			from, room = from+n, room-n
		}
	}
	return groups
}

// slicedRows gives n rows from a selection, or from all rows where it is nil.
func slicedRows(sel []uint32, from, n int) []uint32 {
	if sel != nil {
		return sel[from : from+n]
	}
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(from + i)
	}
	return out
}
