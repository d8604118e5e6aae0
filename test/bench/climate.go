package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/leatio/leat/agent/source/sim"
)

func (b *bench) input() string { return filepath.Join(b.dir, "climate.jsonl") }

// generate writes the workload's rows.
func (b *bench) generate() (err error) {
	f, err := os.Create(b.input())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	gen := sim.NewClimate(1, sim.DefaultDevices)
	var line []byte
	for range b.rows {
		row := gen.Next()
		line = append(row.AppendJSON(line[:0]), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}

// cost is what one process took.
type cost struct {
	cpu, wall time.Duration
	results   int // lines printed
}

func (b *bench) process(name string, args ...string) (cost, error) {
	var out, talk bytes.Buffer
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &talk
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("%s: %w: %s", name, err, talk.String())
	}
	s := cmd.ProcessState
	return cost{s.UserTime() + s.SystemTime(), time.Since(began), bytes.Count(out.Bytes(), []byte("\n"))}, nil
}

// climate runs `leat run` and the bound in turn.
func (b *bench) climate() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var leat, by []cost
	for range b.pairs {
		c, err := b.process(b.bin("leat"), "run", filepath.Join(b.root, "examples/climate/pipeline.yaml"), "--input", b.input())
		if err != nil {
			return err
		}
		h, err := b.process(self, "bound", b.input())
		if err != nil {
			return err
		}
		if c.results != h.results || c.results == 0 {
			return fmt.Errorf("leat printed %d results, the bound %d: they do not do the same work", c.results, h.results)
		}
		leat, by = append(leat, c), append(by, h)
	}
	perRow := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(b.rows) }
	cpu := func(c cost) time.Duration { return c.cpu }
	wall := func(c cost) time.Duration { return c.wall }
	r := b.report
	r.add("climate, leat run: rows/s", float64(b.rows)/median(leat, wall).Seconds(), "rows/s")
	r.add("climate, leat run: CPU", perRow(median(leat, cpu)), "us/row")
	r.add("climate, bound: CPU", perRow(median(by, cpu)), "us/row")
	r.most("climate: leat run / bound", float64(median(leat, cpu))/float64(median(by, cpu)), "times", 2.5)
	return nil
}

func median(costs []cost, of func(cost) time.Duration) time.Duration {
	var all []time.Duration
	for _, c := range costs {
		all = append(all, of(c))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
