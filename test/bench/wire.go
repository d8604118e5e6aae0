package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/leatio/leat/agent/decode"
	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/agent/source/sim"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire"
	"github.com/leatio/leat/transport/wire/columnar"
)

// rowsFile forwards the rows as they are.
const rowsFile = `
name: rows
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double, humidity: double}
  event_time: {column: ts}
steps:
  - select: [device, ts, temp, humidity]
sinks:
  - table: {name: rows}
`

// feed runs rows of the workload through the edge fragment of a plan and
// flushes every so many rows. It gives the bytes of the frames and of the JSON, and the rows in the frames.
func feed(p *plan.Plan, rows, every int, inTurn bool) (frames, raw, flushed int, err error) {
	decoder, err := decode.New(p.Source, decode.Meta{})
	if err != nil {
		return 0, 0, 0, err
	}
	edge, err := engine.NewEdge(p, engine.EdgeConfig{})
	if err != nil {
		return 0, 0, 0, err
	}
	gen := sim.NewClimate(1, sim.DefaultDevices)
	b := batch.New(p.Source.Schema())
	var rejected string
	for done := 0; done < rows; done += every {
		messages := make([]source.Message, every)
		for i := range messages {
			row := gen.Next()
			if inTurn {
				row.Device = (done + i) % sim.DefaultDevices
			}
			messages[i].Payload = row.AppendJSON(nil)
			raw += len(messages[i].Payload)
		}
		decoder.Decode(b, messages, func(_ string, _ []byte, reason string) { rejected = reason })
		if rejected != "" {
			return 0, 0, 0, fmt.Errorf("a row was rejected: %s", rejected)
		}
		if err := edge.Process(b, 0); err != nil {
			return 0, 0, 0, err
		}
		var sections []columnar.Section
		if err := edge.Flush(nil, func(port uint32, b *batch.Batch) error {
			flushed += b.Len()
			sections = append(sections, columnar.Section{Port: port, Batch: b})
			return nil
		}); err != nil {
			return 0, 0, 0, err
		}
		head := wire.Header{Epoch: 1, Pipeline: "climate-01234567", Version: 1, From: 1, To: 1, Watermark: edge.Watermark()}
		frames += len(wire.AppendFrame(nil, head, columnar.AppendPayload(nil, sections, edge.PortSchema)))
	}
	return frames, raw, flushed, nil
}

// wire measures whole frames, headers included.
func (b *bench) wire() error {
	rowPlan, err := compile.Compile([]byte(rowsFile), compile.Options{File: "rows.yaml", PipelineID: "rows", Version: 1})
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(b.root, "examples/climate/pipeline.yaml"))
	if err != nil {
		return err
	}
	windowPlan, err := compile.Compile(text, compile.Options{File: "climate.yaml", PipelineID: "climate", Version: 1})
	if err != nil {
		return err
	}
	const rows = 200_000
	for i, c := range []struct {
		name   string
		plan   *plan.Plan
		every  int
		inTurn bool
		bar    float64
	}{
		{"100 rows a frame, devices in turn", rowPlan, 100, true, 7},
		{"1,000 rows a frame, devices in turn", rowPlan, 1000, true, 2.2},
		{"10,000 rows a frame, devices in turn", rowPlan, 10_000, true, 0},
		{"1,000 rows a frame, devices at random", rowPlan, 1000, false, 0},
		{"aggregated, a flush each 10,000 rows (1 s)", windowPlan, 10_000, false, 0},
	} {
		frames, raw, _, err := feed(c.plan, rows, c.every, c.inTurn)
		if err != nil {
			return err
		}
		if i == 0 {
			b.report.add("wire: raw JSON", "bytes/row", float64(raw)/rows)
		}
		perRow := float64(frames) / rows
		if c.bar > 0 {
			b.report.most("wire: "+c.name, "bytes/row", c.bar, perRow)
		} else {
			b.report.add("wire: "+c.name, "bytes/row", perRow)
		}
	}
	frames, _, partials, err := feed(windowPlan, 5*rows, 100_000, true) // 1,000 devices with 100 rows each
	if err != nil {
		return err
	}
	b.report.most("wire: count, sum, min, max, 1,000 partials a frame", "bytes/(key, slice)", 14, float64(frames)/float64(partials))
	return b.wireDoubles()
}

// wireDoubles sends doubles of which no bit can be guessed.
func (b *bench) wireDoubles() error {
	const rows = 10_000
	s := batch.Schema{{Name: "v", Type: batch.Double}}
	rng := rand.New(rand.NewPCG(1, 2))
	c := batch.New(s)
	for range rows {
		c.Cols[0].Doubles = append(c.Cols[0].Doubles, rng.NormFloat64()*math.Exp(rng.NormFloat64()*20))
	}
	c.N = rows
	payload := columnar.AppendPayload(nil, []columnar.Section{{Batch: c}}, func(uint32) batch.Schema { return s })
	b.report.most("wire: arbitrary doubles", "bytes/value", 8.3, float64(len(payload))/rows)
	return nil
}
