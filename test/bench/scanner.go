package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/valyala/fastjson"

	"github.com/leatio/leat/test/bench/bound"
)

// maxScanner is what the bound's scanner may take of fastjson's time: a slow bound would flatter leat run.
const maxScanner = 0.55

// scanner compares the bound's scanner with fastjson, over the same lines in memory.
func (b *bench) scanner() error {
	text, err := os.ReadFile(b.input())
	if err != nil {
		return err
	}
	const most = 20 << 20
	if len(text) > most {
		text = text[:bytes.LastIndexByte(text[:most], '\n')+1]
	}
	var by, fast, ratio []float64
	for range b.pairs {
		var rows, rows2 int64
		var sum, sum2 float64
		var err1, err2 error
		t1 := cpuTime(func() { rows, sum, err1 = bound.Scan(text) })
		t2 := cpuTime(func() { rows2, sum2, err2 = parseAll(text) })
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if rows != rows2 || sum != sum2 {
			return fmt.Errorf("the bound's scanner read %d rows (sum %v), fastjson %d (%v)", rows, sum, rows2, sum2)
		}
		by, fast = append(by, perRowNanos(t1, rows)), append(fast, perRowNanos(t2, rows))
		ratio = append(ratio, float64(t1)/float64(t2))
	}
	b.report.add("climate, the bound's scanner: CPU", "ns/row", by...)
	b.report.add("climate, fastjson: CPU", "ns/row", fast...)
	b.report.most("climate, the bound's scanner / fastjson: CPU", "times", maxScanner, ratio...)
	return nil
}

// parseAll is bound.Scan by fastjson.
func parseAll(lines []byte) (rows int64, sum float64, err error) {
	var p fastjson.Parser
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n')
		v, err := p.ParseBytes(lines[:end])
		if err != nil {
			return rows, sum, err
		}
		sum += v.GetFloat64("temp") + float64(v.GetInt64("ts")) + float64(len(v.GetStringBytes("device")))
		lines = lines[end+1:]
		rows++
	}
	return rows, sum, nil
}

// cpuTime is the CPU time of this process while f runs; nothing else of it does.
func cpuTime(f func()) time.Duration {
	runtime.GC() // what came before is not f's
	began := processTime()
	f()
	return processTime() - began
}

func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func perRowNanos(d time.Duration, rows int64) float64 {
	return float64(d.Nanoseconds()) / float64(rows)
}
