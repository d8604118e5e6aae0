package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// overlapFile is the climate pipeline with other windows.
const overlapFile = `
name: overlap
source:
  file: {path: rows.jsonl}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double}
  event_time: {column: ts, max_disorder: 5s}
steps:
  - where: temp > 0
  - window:
      by: [device]
      %s
      emit: {a: avg(temp), lo: min(temp), hi: max(temp), n: count(*)}
sinks:
  - stdout: {}
`

// hopping runs windows of a minute from JSON lines, one each minute and one each second. The results are counted and not printed.
func (b *bench) hopping() error {
	var files []string
	for name, window := range map[string]string{"tumbling": "tumbling: 60s", "hopping": "hopping: {size: 60s, every: 1s}"} {
		path := filepath.Join(b.dir, name+".yaml")
		if err := os.WriteFile(path, fmt.Appendf(nil, overlapFile, window), 0o644); err != nil {
			return err
		}
		files = append(files, path)
	}
	var tumbling, hopping, ratio []float64
	for range b.pairs {
		cpu := map[string]float64{}
		for _, file := range files {
			c, err := b.process(b.bin("leat"), "run", "--stats", "--count", file, "--input", b.input())
			if err := errors.Join(err, b.allRows(c.talk)); err != nil {
				return err
			}
			cpu[strings.TrimSuffix(filepath.Base(file), ".yaml")] = float64(c.cpu.Nanoseconds()) / float64(b.rows)
		}
		tumbling, hopping = append(tumbling, cpu["tumbling"]), append(hopping, cpu["hopping"])
		ratio = append(ratio, cpu["hopping"]/cpu["tumbling"])
	}
	b.report.add("windows of 60 s, tumbling: CPU", "ns/row", tumbling...)
	b.report.add("windows of 60 s every 1 s: CPU", "ns/row", hopping...)
	b.report.most("windows of 60 s every 1 s / tumbling: CPU", "times", 1.5, ratio...)
	return nil
}
