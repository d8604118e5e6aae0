package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/leatio/leat/agent/source/sim"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
)

// windowFile is the climate pipeline's window with other aggregates.
const windowFile = `
name: window
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double, humidity: double}
  event_time: {column: ts}
steps:
  - window: {by: [device], tumbling: 10s, emit: {%s}}
sinks:
  - table: {name: t}
`

const whereFile = `
name: where
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double, humidity: double}
  event_time: {column: ts}
steps:
  - where: temp > 15 AND temp < 28.5 AND humidity >= 30
sinks:
  - table: {name: t}
`

const (
	fourAggregates = "a: avg(temp), lo: min(temp), hi: max(temp), n: count(*)" // a sum among them
	quantileOnly   = "p99: 'quantile(temp, 0.99)'"
	kernelBatch    = 4096
	windowMillis   = 10_000
)

func compileText(text string) (*plan.Plan, error) {
	return compile.Compile([]byte(text), compile.Options{File: "bench.yaml", PipelineID: "bench", Version: 1})
}

// decodedBatches are rows of the workload as the decoder gives them, all within one window.
func decodedBatches(p *plan.Plan, rows, devices int) []*batch.Batch {
	gen := sim.NewClimate(1, devices)
	dict := batch.NewDict()
	var all []*batch.Batch
	start := sim.FirstMillis / windowMillis * windowMillis * 1000
	for done := 0; done < rows; done += kernelBatch {
		b := batch.New(p.Source.Schema())
		for range kernelBatch {
			row := gen.Next()
			for i, c := range p.Source.Columns {
				col := &b.Cols[i]
				switch c.Name {
				case "device":
					col.Dict = dict
					col.Codes = append(col.Codes, dict.CodeString(fmt.Sprintf("dev-%04d", row.Device)))
				case "ts":
					col.Ints = append(col.Ints, int64(start)+(row.Millis*1000-int64(start))/int64(1+rows/100_000))
				case "temp":
					col.Doubles = append(col.Doubles, float64(row.TempTenths)/10)
				case "humidity":
					col.Doubles = append(col.Doubles, float64(row.HumidTenths)/10)
				}
			}
			b.N++
		}
		all = append(all, b)
	}
	return all
}

// kernels measures the engine on decoded batches.
func (b *bench) kernels() error {
	for _, c := range []struct {
		name, emit string
		devices    int
		rows       float64 // at least, a second
		nanos      float64 // at most, a row
	}{
		{"4 aggregates, 1,000 keys", fourAggregates, 1000, 150e6, 0},
		{"4 aggregates, 100,000 keys", fourAggregates, 100_000, 50e6, 0},
		{"quantile, 1,000 keys", quantileOnly, 1000, 0, 30},
	} {
		p, err := compileText(fmt.Sprintf(windowFile, c.emit))
		if err != nil {
			return err
		}
		times, allocs, err := b.processing(p, decodedBatches(p, 1<<20, c.devices))
		if err != nil {
			return err
		}
		if name := "decoded batches, " + c.name; c.rows > 0 {
			var rates []float64
			for _, t := range times {
				rates = append(rates, 1e9/t)
			}
			b.report.least(name, "rows/s per core", c.rows, rates...)
		} else {
			b.report.most(name, "ns/row", c.nanos, times...)
		}
		b.report.most("decoded batches, "+c.name+": allocations", "per row", 0.001, allocs...)
	}
	if err := b.comparisons(); err != nil {
		return err
	}
	return b.states()
}

// processing runs batches through an edge fragment, window after window: nanoseconds and allocations a row. What
// a flush takes after each window is left out.
func (b *bench) processing(p *plan.Plan, batches []*batch.Batch) (times, allocs []float64, err error) {
	edge, err := engine.NewEdge(p, engine.EdgeConfig{MaxGroups: 4_000_000})
	if err != nil {
		return nil, nil, err
	}
	partials := 0
	flush := func(_ uint32, out *batch.Batch) error { partials += out.Len(); return nil }
	const rounds = 8
	for run := range b.pairs + 2 { // the first two warm up
		var t time.Duration
		var mallocs uint64
		for range rounds {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			t += cpuTime(func() {
				for _, in := range batches {
					if err == nil {
						err = edge.Process(in, 0)
					}
				}
			})
			runtime.ReadMemStats(&after)
			mallocs += after.Mallocs - before.Mallocs
			if err = errors.Join(err, edge.Flush(nil, flush)); err != nil {
				return nil, nil, err
			}
			later(p, batches)
		}
		if run > 1 {
			rows := float64(rounds * len(batches) * kernelBatch)
			times = append(times, float64(t.Nanoseconds())/rows)
			allocs = append(allocs, float64(mallocs)/rows)
		}
	}
	if partials == 0 || edge.TakeLate() > 0 {
		return nil, nil, errors.New("rows were late, or none was counted: the engine did not do the work")
	}
	return times, allocs, nil
}

// later moves batches to the next window.
func later(p *plan.Plan, batches []*batch.Batch) {
	for _, in := range batches {
		times := in.Cols[p.Source.EventTime].Ints
		for i := range times {
			times[i] += windowMillis * 1000
		}
	}
}

// comparisons measures a where alone.
func (b *bench) comparisons() error {
	p, err := compileText(whereFile)
	if err != nil {
		return err
	}
	var condition *plan.Expr
	for _, n := range p.Edge.Nodes {
		if w := n.GetWhere(); w != nil {
			condition = w.Condition
		}
	}
	program, err := expr.Compile(condition, p.Source.Schema(), expr.Env{})
	if err != nil {
		return err
	}
	batches := decodedBatches(p, 1<<20, 1000)
	var times []float64
	var sel []uint32
	kept := 0
	for run := range b.pairs + 1 {
		t := cpuTime(func() {
			for range 8 {
				for _, in := range batches {
					if sel, err = program.Filter(in, sel[:0], func(int, string) {}); err != nil {
						return
					}
					kept += len(sel)
				}
			}
		})
		if err != nil {
			return err
		}
		if run > 0 {
			times = append(times, float64(t.Nanoseconds())/float64(8*len(batches)*kernelBatch))
		}
	}
	if kept == 0 {
		return errors.New("the where let nothing through")
	}
	b.report.most("where with three comparisons", "ns/row", 2, times...)
	return nil
}

// states measures what pending groups take on the edge, and then in the cloud.
func (b *bench) states() error {
	p, err := compileText(fmt.Sprintf(windowFile, fourAggregates))
	if err != nil {
		return err
	}
	const keys = 1_000_000
	edge, err := engine.NewEdge(p, engine.EdgeConfig{MaxGroups: 4_000_000})
	if err != nil {
		return err
	}
	cloud, err := engine.NewCloud(p, engine.CloudConfig{Sink: func(*plan.Node, batch.Schema, *batch.Batch) error { return nil }})
	if err != nil {
		return err
	}
	empty := heapMB()
	in := batch.New(p.Source.Schema())
	for from := 0; from < keys; from += kernelBatch {
		in.Reset()
		in.N = min(kernelBatch, keys-from)
		dict := batch.NewDict()
		for i, c := range p.Source.Columns {
			col := &in.Cols[i]
			for r := range in.N {
				switch c.Name {
				case "device":
					col.Dict = dict
					col.Codes = append(col.Codes, dict.CodeString(fmt.Sprintf("device-%07d", from+r)))
				case "ts":
					col.Ints = append(col.Ints, time.Now().UnixMicro()/10_000_000*10_000_000)
				default:
					col.Doubles = append(col.Doubles, float64(r)/10)
				}
			}
		}
		if err := edge.Process(in, 0); err != nil {
			return err
		}
	}
	rows, size := edge.Pending()
	if rows != keys {
		return fmt.Errorf("%d groups are pending, want %d", rows, keys)
	}
	atEdge := heapMB() - empty
	b.report.most("state of a (key, slice) with 4 aggregates, as counted, key included", "bytes", 128, float64(size)/keys)
	b.report.most("1 M keys on the edge: heap", "MB", 400, atEdge)
	if err := edge.Flush(nil, cloud.Apply); err != nil {
		return err
	}
	edge, in = nil, nil
	b.report.most("1 M keys in the cloud: heap", "MB", 400, heapMB()-empty)
	runtime.KeepAlive(edge)
	runtime.KeepAlive(in)
	runtime.KeepAlive(cloud)
	return nil
}

func heapMB() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}
