package wasm

import (
	"fmt"
	"time"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/wasm/frame"
)

// run calls the guest on n rows from start on, of a chunk of whole rows, and
// appends n values to out. Where the guest fails, the halves run again, each with a fresh
// instance if the last was poisoned, until the guilty rows stand alone.
func (f *Function) run(start, n, whole int, out *batch.Column) error {
	cfg := &f.module.host.cfg
	if n == 0 {
		return nil
	}
	if f.limits.failing >= cfg.MaxFailingTime {
		f.reject(start, n, out, fmt.Sprintf("function %s was not called: it had failed on this batch for %v already", f.name, f.limits.failing.Round(time.Millisecond)))
		return nil
	}
	f.input.Start, f.input.N = start, n
	size := f.input.Size()
	if size > uint64(min(cfg.MaxInputBytes, frame.MaxBytes)) {
		if n > 1 {
			return f.halves(start, n, whole, out)
		}
		f.reject(start, 1, out, fmt.Sprintf("function %s was not called: the row takes %d bytes, at most %d are allowed", f.name, size, cfg.MaxInputBytes))
		return nil
	}
	began := time.Now()
	failed, err := f.try(n, uint32(size), f.timeout(n, whole), out)
	if err != nil || failed == nil {
		return err
	}
	f.limits.failing += time.Since(began)
	switch {
	case n == 1:
		f.limits.guilty++
		f.stats.Guilty++
		f.fail(start, out, "function "+f.name+" "+failed.reason)
		return nil
	case f.limits.guilty >= cfg.MaxGuiltyRows:
		f.reject(start, n, out, fmt.Sprintf("function %s %s; %d rows of this batch were singled out already, so the %d rows of this part are rejected together", f.name, failed.reason, f.limits.guilty, n))
		return nil
	}
	return f.halves(start, n, whole, out)
}

func (f *Function) halves(start, n, whole int, out *batch.Column) error {
	if err := f.run(start, n/2, whole, out); err != nil {
		return err
	}
	return f.run(start+n/2, n-n/2, whole, out)
}

// timeout is the share of n rows of the time that a chunk of whole rows may take.
func (f *Function) timeout(n, whole int) time.Duration {
	all := f.module.host.cfg.CallTimeout
	return max(all/8, all/time.Duration(whole)*time.Duration(n))
}

// try makes one call. It appends to out only if all went well. The error says that no fresh
// instance could be had.
func (f *Function) try(n int, size uint32, timeout time.Duration, out *batch.Column) (*fault, error) {
	cfg := &f.module.host.cfg
	limit := 64<<10 + uint64(cfg.MaxOutputPerInput)*uint64(size)
	bytes, failed := f.instance.run(f.spec.ID, &f.input, size, limit, timeout)
	if failed == nil {
		column, err := frame.Decode(bytes, f.spec.Result, n, int(min(limit, frame.MaxBytes)))
		if err != nil {
			failed = &fault{"returned a " + err.Error(), true}
		} else {
			column.Append(out)
		}
	}
	if failed != nil && failed.poisoned || f.instance.limiter.expired.Load() {
		f.stats.Replaced++
		if err := f.Reset(); err != nil {
			return failed, err
		}
	}
	return failed, nil
}

// reject fails n rows together.
func (f *Function) reject(start, n int, out *batch.Column, reason string) {
	f.stats.Rejected += uint64(n)
	for i := range n {
		f.fail(start+i, out, reason)
	}
}

// fail makes one row of the frame null and names it by its row in the arguments.
func (f *Function) fail(i int, out *batch.Column, reason string) {
	row := i
	if f.input.Rows != nil {
		row = int(f.input.Rows[i])
	}
	f.errs = append(f.errs, batch.RowError{Row: row, Reason: reason})
	out.AppendNull()
}
