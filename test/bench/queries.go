package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/leatio/leat/test/bench/workload"
)

// quotedFlink is what Flink is quoted with, events a second and core, with its state in RocksDB. This run does not measure it.
var quotedFlink = map[string]float64{"q0": 155_000, "q1": 155_000, "q2": 155_000, "q5": 22_000, "q7": 12_000}

// queries runs the published benchmarks from JSON lines; results are counted and not printed. That they are right is what the
// test of package workload is for.
func (b *bench) queries() error {
	for _, w := range workload.All() {
		if err := b.query(&w); err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
	}
	return nil
}

func (b *bench) query(w *workload.Workload) error {
	input, file := filepath.Join(b.dir, "query.jsonl"), filepath.Join(b.dir, "query.yaml")
	text, err := w.Pipeline()
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(file, []byte(text), 0o644), writeRows(input, w, b.rows/2)); err != nil {
		return err
	}
	var rates, nanos []float64
	for range b.pairs {
		c, err := b.process(b.bin("leat"), "run", "--stats", "--count", file, "--input", input)
		if err != nil {
			return err
		}
		if !strings.Contains(string(c.talk), "rows          "+strconv.Itoa(b.rows/2)+"\n") {
			return fmt.Errorf("leat run does not say %d rows: %s", b.rows/2, c.talk)
		}
		perRow := float64(c.cpu.Nanoseconds()) / float64(b.rows/2)
		rates, nanos = append(rates, 1e9/perRow), append(nanos, perRow)
	}
	name := "Theodolite " + strings.ToUpper(w.Name)
	if strings.HasPrefix(w.Name, "q") {
		name = "Nexmark " + w.Name
	}
	b.report.add(name+" from JSON lines", "rows/s per core", rates...)
	b.report.add(name+": CPU", "ns/row", nanos...)
	if flink := quotedFlink[w.Name]; flink > 0 {
		b.report.add(name+": Flink, quoted", "rows/s per core", flink)
	}
	return nil
}

func writeRows(path string, w *workload.Workload, rows int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	if err := w.Rows(out, rows); err != nil {
		return err
	}
	return out.Flush()
}
