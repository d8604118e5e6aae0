package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// bound is the climate workload written by hand for this one file format: a
// scanner that knows the order of the fields, a dictionary of devices, arrays
// for groups. It is what `leat run` is held against, and prints the same numbers.

const (
	boundWindow = 10_000 // milliseconds
	tableSize   = 1 << 16
)

// boundGroup is one device in one window.
type boundGroup struct {
	sum, low, high float64
	n              int64
}

// devices gives names numbers: open addressing, probed linearly.
type devices struct {
	slots [tableSize]uint32 // number+1
	names []string
}

func (d *devices) number(name []byte) int {
	h := uint32(2166136261)
	for _, c := range name {
		h = (h ^ uint32(c)) * 16777619
	}
	for i := h % tableSize; ; i = (i + 1) % tableSize {
		s := d.slots[i]
		if s == 0 {
			d.names = append(d.names, string(name))
			d.slots[i] = uint32(len(d.names))
			return len(d.names) - 1
		}
		if d.names[s-1] == string(name) {
			return int(s - 1)
		}
	}
}

var errBoundLine = errors.New("a line is not as the generator writes them")

// number scans digits with at most one point; whole and fraction digits fit in an int64.
func number(b []byte) (v float64, rest []byte) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	var m int64
	i, point := 0, -1
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' {
			point = i
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		m = m*10 + int64(c-'0')
	}
	v = float64(m)
	if point >= 0 {
		v /= powers[i-point-1]
	}
	if negative {
		v = -v
	}
	return v, b[i:]
}

var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// scanLine reads {"device":"dev-0361","ts":1700000000001,"temp":22.0,...
func scanLine(line []byte) (device []byte, ts int64, temp float64, ok bool) {
	const head, mid, end = `{"device":"`, `","ts":`, `,"temp":`
	if !bytes.HasPrefix(line, []byte(head)) {
		return nil, 0, 0, false
	}
	line = line[len(head):]
	q := bytes.IndexByte(line, '"')
	if q < 0 || !bytes.HasPrefix(line[q:], []byte(mid)) {
		return nil, 0, 0, false
	}
	device, line = line[:q], line[q+len(mid):]
	i := 0
	for ; i < len(line) && line[i] >= '0' && line[i] <= '9'; i++ {
		ts = ts*10 + int64(line[i]-'0')
	}
	if !bytes.HasPrefix(line[i:], []byte(end)) {
		return nil, 0, 0, false
	}
	temp, _ = number(line[i+len(end):])
	return device, ts, temp, true
}

func bound(file string, out io.Writer) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(out, 64<<10)
	known := &devices{}
	windows := map[int64][]boundGroup{}
	var current []boundGroup
	currentEnd := int64(-1)
	var order []int64
	buf := make([]byte, 256<<10)
	held := 0
	for {
		n, rerr := f.Read(buf[held:])
		data := buf[:held+n]
		for {
			nl := bytes.IndexByte(data, '\n')
			if nl < 0 {
				break
			}
			device, ts, temp, ok := scanLine(data[:nl])
			if !ok {
				return errBoundLine
			}
			data = data[nl+1:]
			if temp <= 0 {
				continue
			}
			d := known.number(device)
			if end := ts - ts%boundWindow + boundWindow; end != currentEnd {
				if currentEnd >= 0 {
					windows[currentEnd] = current
				}
				if current = windows[end]; current == nil {
					order = append(order, end)
				}
				currentEnd = end
			}
			for d >= len(current) {
				current = append(current, boundGroup{})
			}
			g := &current[d]
			if g.n == 0 || temp < g.low {
				g.low = temp
			}
			if g.n == 0 || temp > g.high {
				g.high = temp
			}
			g.sum += temp
			g.n++
		}
		held = copy(buf, data)
		if errors.Is(rerr, io.EOF) {
			break
		}
		if rerr != nil {
			return rerr
		}
	}
	windows[currentEnd] = current
	for _, end := range order {
		for d, g := range windows[end] {
			if g.n > 0 {
				printBound(w, end, known.names[d], g)
			}
		}
	}
	return w.Flush()
}

// printBound prints a result, with about as many bytes as leat does.
func printBound(w *bufio.Writer, end int64, device string, g boundGroup) {
	fmt.Fprintf(w, `{"window_start":%d,"window_end":%d,"device":%q,"temp_avg":%s,"temp_min":%g,"temp_max":%g,"n":%d}`+"\n",
		end-boundWindow, end, device, strconv.FormatFloat(g.sum/float64(g.n), 'f', -1, 64), g.low, g.high, g.n)
}
