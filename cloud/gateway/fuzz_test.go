package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire"
	"github.com/leatio/leat/transport/wire/columnar"
)

const fuzzPartitions = 5

// script is a stream whose frames stand one behind another in a text.
type script struct {
	text    []byte
	refused bool
}

func (s *script) Open() *wire.StreamOpen       { return &wire.StreamOpen{} }
func (s *script) Accept(uint64, uint32) error  { return nil }
func (s *script) Refuse(wire.Code, string)     { s.refused = true }
func (s *script) Ack(seq uint64, wmark int64)  {}
func (s *script) limits() (limits wire.Limits) { return wire.Limits{MaxPayloadBytes: 1 << 20} }

func (s *script) Recv(context.Context) (wire.Header, []byte, []byte, error) {
	h, n, err := wire.ParseHeader(s.text, s.limits())
	if err != nil || n+h.PayloadBytes > len(s.text) {
		return wire.Header{}, nil, nil, io.EOF
	}
	frame := s.text[:n+h.PayloadBytes]
	s.text = s.text[len(frame):]
	_, payload, _, err := wire.ParseFrame(frame, s.limits())
	return h, frame, payload, err
}

// mend sets checksums, numbers and predecessors right, as far as the text holds
// frames, so that the fuzzer gets past them. Where keep is set, a payload's stays.
func mend(text []byte, keep bool) {
	table := crc32.MakeTable(crc32.Castagnoli)
	var previous uint32
	for {
		n, err := wire.HeaderLength(text)
		if err != nil || n > len(text) {
			return
		}
		head := text[:n]
		binary.LittleEndian.PutUint32(head[n-12:], previous)
		previous = crc32.Checksum(head[:n-4], table)
		binary.LittleEndian.PutUint32(head[n-4:], previous)
		h, _, err := wire.ParseHeader(text, wire.Limits{})
		if err != nil || n+h.PayloadBytes > len(text) {
			return
		}
		if !keep {
			binary.LittleEndian.PutUint32(head[n-8:], crc32.Checksum(text[n:n+h.PayloadBytes], table))
			previous = crc32.Checksum(head[:n-4], table)
			binary.LittleEndian.PutUint32(head[n-4:], previous)
		}
		text = text[n+h.PayloadBytes:]
	}
}

func fuzzPlan(f *testing.F) *plan.Plan {
	const file = `
name: climate
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double}
  event_time: {column: ts, max_disorder: 1m}
steps:
  - window: {by: [device], tumbling: 10s, allowed_lateness: 1h, emit: {n: count(*), total: sum(temp)}}
sinks:
  - table: {name: t}
`
	p, err := compile.Compile([]byte(file), compile.Options{File: "t.yaml", PipelineID: "climate-1", Version: 1})
	if err != nil {
		f.Fatal(err)
	}
	return p
}

// fuzzPayload is what an agent sends of a few rows and a reject.
func fuzzPayload(f *testing.F, p *plan.Plan) []byte {
	edge, err := engine.NewEdge(p, engine.EdgeConfig{})
	if err != nil {
		f.Fatal(err)
	}
	b := batch.New(p.Source.Schema())
	device := &b.Cols[p.Source.Schema().Index("device")]
	device.Dict = batch.NewDict()
	for i := range 40 {
		device.Codes = append(device.Codes, device.Dict.CodeString(string(rune('a'+i%20))))
		for c, field := range p.Source.Schema() {
			switch field.Type {
			case batch.Timestamp:
				b.Cols[c].Ints = append(b.Cols[c].Ints, int64(i)*1e6)
			case batch.Double:
				b.Cols[c].Doubles = append(b.Cols[c].Doubles, float64(i))
			}
		}
		b.N++
	}
	if err := edge.Process(b, 0); err != nil {
		f.Fatal(err)
	}
	var sections []columnar.Section
	collect := func(port uint32, b *batch.Batch) error {
		sections = append(sections, columnar.Section{Port: port, Batch: b})
		return nil
	}
	rejects := engine.NewRejectLog(3)
	rejects.Add(1, "topic", []byte("{"), "malformed")
	if err := errors.Join(edge.Flush(nil, collect), rejects.Drain(collect)); err != nil {
		f.Fatal(err)
	}
	return columnar.AppendPayload(nil, sections, edge.PortSchema)
}

func countRows(t *testing.T, p *plan.Plan, payload []byte) (rows int, err error) {
	t.Helper()
	if len(payload) == 0 {
		return 0, nil
	}
	sections, err := columnar.DecodePayload(payload, func(port uint32) batch.Schema { return engine.PortSchema(p, port) }, columnar.Limits{})
	for _, s := range sections {
		rows += s.Batch.Len()
	}
	return rows, err
}

// FuzzReceive takes in frames from outside: nothing panics, what is acknowledged stands in
// records that can be read, and the partitions have the rows of every frame
// that can be decoded.
func FuzzReceive(f *testing.F) {
	p := fuzzPlan(f)
	payload := fuzzPayload(f, p)
	frame := func(dst []byte, from, to uint64, payload []byte) []byte {
		return wire.AppendFrame(dst, wire.Header{Epoch: 1, Pipeline: p.PipelineId, Version: 1, From: from, To: to, Watermark: 5}, payload)
	}
	f.Add(frame(frame(nil, 1, 1, payload), 2, 2, nil), false, uint64(1))
	f.Add(frame(frame(nil, 1, 7, payload), 8, 9, payload), false, uint64(1)) // frames that replace several
	f.Add(frame(frame(frame(nil, 1, 1, nil), 2, 2, payload), 4, 4, nil), true, uint64(2))
	f.Add(frame(frame(nil, 1, wire.MaxNumber, payload), 0, 3, payload), false, uint64(1))
	f.Fuzz(func(t *testing.T, text []byte, damage bool, first uint64) {
		text, first = bytes.Clone(text), max(first%wire.MaxNumber, 1)
		mend(text, damage)
		g := New(nil, nil, nil, Config{Partitions: fuzzPartitions})
		parts := PartitionsOf(p, fuzzPartitions)
		key := worker.LaneKey{Agent: "a", Epoch: 1, Pipeline: p.PipelineId, Version: 1}
		in := &intake{g: g, key: key, plan: p, partitions: parts, stream: &script{text: text}, splitter: newSplitter(p, len(parts)), next: first}
		in.track = newTracker(first - 1)
		if err := in.receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows := drainAppenders(t, p, g)
		if in.track.value() != in.next-1 {
			t.Fatalf("all is durable, but frames up to %d are acknowledged, not %d", in.track.value(), in.next-1)
		}
		if want := frameRows(t, p, text, first, in.next); rows != want {
			t.Fatalf("the records hold %d rows, the frames %d", rows, want)
		}
	})
}

// drainAppenders makes records of all that waits and counts their rows.
func drainAppenders(t *testing.T, p *plan.Plan, g *Gateway) (rows int) {
	t.Helper()
	for _, a := range g.appenders {
		for items := a.take(); len(items) > 0; items = a.take() {
			r, err := record.Parse(appendItems(nil, items, 0))
			if err != nil || len(r.Entries) != len(items) {
				t.Fatalf("a record that cannot be read: %v", err)
			}
			for i := range items {
				n, err := countRows(t, p, r.Entries[i].Payload)
				if err != nil {
					t.Fatalf("an entry that cannot be decoded: %v", err)
				}
				rows += n
				items[i].done()
			}
		}
	}
	return rows
}

// frameRows counts the rows of the frames that were taken.
func frameRows(t *testing.T, p *plan.Plan, text []byte, next, end uint64) (rows int) {
	t.Helper()
	s := &script{text: text}
	for next != end {
		h, _, payload, err := s.Recv(t.Context())
		if errors.Is(err, io.EOF) {
			t.Fatalf("frames up to %d were taken, the stream holds them up to %d", end-1, next-1)
		}
		if h.From != next {
			continue
		}
		next = h.To + 1
		if n, decodeErr := countRows(t, p, payload); err == nil && decodeErr == nil {
			rows += n
		}
	}
	return rows
}
