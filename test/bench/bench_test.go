package main

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/leatio/leat/agent"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/internal/local"
	"github.com/leatio/leat/test/bench/bound"
)

const benchRows = 2_000_000

func climateFile(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "rows.jsonl")
	if err := writeClimate(path, benchRows); err != nil {
		b.Fatal(err)
	}
	return path
}

func cpuNanos(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// perRow runs f and reports the processor's time per row, which a busy machine
// changes less than the clock.
func perRow(b *testing.B, f func() (rows int64, err error)) {
	b.Helper()
	b.ReportAllocs()
	began := cpuNanos(b)
	for b.Loop() {
		rows, err := f()
		if err != nil || rows != benchRows {
			b.Fatal(rows, err)
		}
	}
	b.ReportMetric(float64(cpuNanos(b)-began)/float64(b.N)/benchRows, "cpu-ns/row")
}

// BenchmarkClimateRun is what `leat run` does with the climate workload.
func BenchmarkClimateRun(b *testing.B) {
	file := climateFile(b)
	name := filepath.Join("..", "..", "examples", "climate", "pipeline.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	p, err := compile.Compile(text, compile.Options{File: name, PipelineID: "local", Version: 1})
	if err != nil {
		b.Fatal(err)
	}
	p.Source.GetFile().Paths = []string{file}
	perRow(b, func() (int64, error) {
		src, err := agent.OpenSource(p, agent.SourceOptions{})
		if err != nil {
			return 0, err
		}
		st, err := local.Run(b.Context(), local.Config{Plan: p, Source: src, Stdout: io.Discard})
		return st.Rows, err
	})
}

// BenchmarkClimateBound is the same by hand.
func BenchmarkClimateBound(b *testing.B) {
	file := climateFile(b)
	perRow(b, func() (int64, error) { return bound.Run(file, io.Discard) })
}
