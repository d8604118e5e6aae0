// Package local is what `leat run` does: one process with a pipeline's source,
// edge fragment and cloud fragment joined, results as JSON lines.
package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatio/leat/agent/decode"
	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/jsonl"
)

// Config is what a run needs.
type Config struct {
	Plan      *plan.Plan        // with parameters and labels resolved
	Functions *engine.Functions // may be nil
	Lookups   engine.Lookups    // may be nil where the plan has none
	Source    source.Source
	Stdout    io.Writer
	Dir       string // file sinks are relative to it
	// Sink takes the rows of all sinks instead of what they name. May be nil.
	Sink engine.SinkFunc
	// Reject is told of every message or row that cannot be worked on. May be nil.
	Reject engine.RejectFunc
}

// Stats are what a run counted.
type Stats struct {
	Rows     int64 // decoded
	Messages int64
	Bytes    int64 // of the messages
	Rejects  int64
	Late     int64
	Results  int64
}

// Batches and flushes.
const (
	batchRows      = 2048
	maxPendingSize = 32 << 20
	flushEvery     = 64   // batches; partials are merged at least that often
	flushEnded     = 4096 // partials of slices that are over; with many more, short slices would fill the caches
)

type run struct {
	cfg     Config
	edge    *engine.Edge
	cloud   *engine.Cloud
	decoder *decode.Decoder
	rows    *batch.Batch
	bounded bool
	stats   Stats
	stdout  *output
	out     map[*plan.Node]*output // by sink; the fragments number their nodes alike
	files   map[string]*output     // by path: sinks may share one
	buf     []byte
	kept    kept
	batches int
}

// output is where sinks' lines go.
type output struct {
	w    *bufio.Writer
	file *os.File // nil for standard output
}

// Run works until the source ends or ctx does, and gives what it counted.
func Run(ctx context.Context, cfg Config) (Stats, error) {
	r := &run{cfg: cfg, rows: batch.New(cfg.Plan.Source.Schema()), bounded: bounded(cfg.Plan.Source), out: map[*plan.Node]*output{}, files: map[string]*output{}}
	if err := r.prepare(); err != nil {
		return r.stats, errors.Join(err, r.close())
	}
	g, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	g.Go(func() error { return cfg.Source.Run(ctx) })
	g.Go(func() error {
		defer stop()
		return r.loop(ctx)
	})
	err := g.Wait()
	r.stats.Late = r.edge.TakeLate()
	return r.stats, errors.Join(err, r.close())
}

// bounded tells whether a source ends by itself.
func bounded(s *plan.Source) bool {
	switch k := s.Kind.(type) {
	case *plan.Source_File:
		return !k.File.Follow
	case *plan.Source_Sim:
		return k.Sim.Rows > 0
	default:
		return false
	}
}

func (r *run) prepare() (err error) {
	if r.decoder, err = decode.New(r.cfg.Plan.Source, decode.Meta{Agent: "local"}); err != nil {
		return err
	}
	ec := engine.EdgeConfig{Lookups: r.cfg.Lookups, Reject: r.reject, Sink: r.sink, LastOnly: r.bounded}
	cc := engine.CloudConfig{Lookups: r.cfg.Lookups, Reject: r.reject, Sink: r.sink, LastOnly: r.bounded}
	if r.cfg.Functions != nil {
		ec.Functions, cc.Functions = r.cfg.Functions, r.cfg.Functions
	}
	if r.edge, err = engine.NewEdge(r.cfg.Plan, ec); err != nil {
		return err
	}
	if r.cloud, err = engine.NewCloud(r.cfg.Plan, cc); err != nil {
		return err
	}
	if r.cfg.Stdout == nil {
		r.cfg.Stdout = io.Discard
	}
	r.stdout = &output{w: bufio.NewWriterSize(r.cfg.Stdout, 64<<10)}
	for _, f := range []*plan.Fragment{r.cfg.Plan.Edge, r.cfg.Plan.Cloud} {
		for _, n := range f.GetNodes() {
			if n.GetSink() == nil || r.cfg.Sink != nil {
				continue
			}
			if r.out[n], err = r.open(n.GetSink()); err != nil {
				return err
			}
		}
	}
	return nil
}

// open opens a sink's output. Only files have a place of their own here: the rows
// of tables and brokers go to standard output.
func (r *run) open(s *plan.Sink) (*output, error) {
	f := s.GetFile()
	if f == nil {
		return r.stdout, nil
	}
	path := f.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.cfg.Dir, path)
	}
	if o := r.files[path]; o != nil {
		return o, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("file sink: %w", err)
	}
	r.files[path] = &output{w: bufio.NewWriterSize(file, 64<<10), file: file}
	return r.files[path], nil
}

// sink writes rows. A bounded run fires a window once, so that there is nothing to take back.
func (r *run) sink(n *plan.Node, s batch.Schema, b *batch.Batch) error {
	if b.Deleted != nil && r.bounded {
		if b = r.kept.without(b); b.Len() == 0 {
			return nil
		}
	}
	r.stats.Results += int64(b.Len())
	if r.cfg.Sink != nil {
		return r.cfg.Sink(n, s, b)
	}
	r.buf = jsonl.Append(r.buf[:0], s, b)
	_, err := r.out[n].w.Write(r.buf)
	return err
}

// kept is a view of the rows of a batch that are not deleted.
type kept struct {
	b   batch.Batch
	sel []uint32
}

func (k *kept) without(b *batch.Batch) *batch.Batch {
	k.sel = slices.Grow(k.sel[:0], 1)
	for i := range b.Len() {
		row := i
		if b.Sel != nil {
			row = int(b.Sel[i])
		}
		if !b.Deleted.Get(row) {
			k.sel = append(k.sel, uint32(row))
		}
	}
	k.b = *b
	k.b.Sel, k.b.Deleted = k.sel, nil
	return &k.b
}

func (r *run) close() error {
	errs := []error{r.flushOutputs()}
	for _, o := range r.files {
		errs = append(errs, o.file.Close())
	}
	return errors.Join(errs...)
}

// loop takes, processes and fires until the source ends.
func (r *run) loop(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var c source.Chunk
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			if err := r.fire(r.edge.Watermark()); err != nil || r.bounded {
				return errors.Join(err, ctx.Err())
			}
			return nil // Ctrl-C is how a live run ends
		case <-tick.C:
			if r.bounded {
				continue
			}
			if err := r.fire(r.edge.Watermark()); err != nil {
				return err
			}
			if err := r.flushOutputs(); err != nil {
				return err
			}
		case <-r.cfg.Source.Ready():
			for dry := false; !dry && ctx.Err() == nil; {
				r.cfg.Source.Take(&c, batchRows)
				if err := r.process(&c); err != nil {
					return err
				}
				dry, ended = c.Dry || c.End, c.End
				if c.Done != nil {
					c.Done()
				}
			}
		}
	}
	if err := r.edge.AdvanceTo(engine.EndOfTime); err != nil {
		return err
	}
	return r.fire(engine.EndOfTime)
}

func (r *run) process(c *source.Chunk) error {
	if len(c.Messages) == 0 {
		return nil
	}
	r.stats.Messages += int64(r.decoder.Decode(r.rows, c.Messages, r.reject))
	r.stats.Rows += int64(r.rows.N)
	for i := range c.Messages {
		r.stats.Bytes += int64(len(c.Messages[i].Payload))
	}
	if err := r.edge.Process(r.rows, 0); err != nil {
		return err
	}
	if r.batches++; r.batches >= flushEvery || r.edge.Ended() >= flushEnded || r.edge.Full() || r.tooMuchPending() {
		return r.fire(r.edge.Watermark())
	}
	return nil
}

func (r *run) reject(topic string, payload []byte, reason string) {
	r.stats.Rejects++
	if r.cfg.Reject != nil {
		r.cfg.Reject(topic, payload, reason)
	}
}

func (r *run) tooMuchPending() bool {
	_, size := r.edge.Pending()
	return size > maxPendingSize
}

// fire hands what is pending to the cloud fragment and fires its windows.
func (r *run) fire(watermark int64) error {
	r.batches = 0
	if err := r.edge.Flush(nil, r.cloud.Apply); err != nil {
		return err
	}
	if watermark == engine.NoWatermark {
		return nil
	}
	return r.cloud.Advance(watermark, watermark)
}

func (r *run) flushOutputs() error {
	var errs []error
	if r.stdout != nil {
		errs = append(errs, r.stdout.w.Flush())
	}
	for _, o := range r.files {
		errs = append(errs, o.w.Flush())
	}
	return errors.Join(errs...)
}
