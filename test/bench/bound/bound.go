// Package bound is the climate workload as a good engineer would write it by
// hand for just this input: a scanner that knows the four fields, a dictionary of
// devices, arrays for the groups. It shares no code with Leat. A general engine
// cannot be faster; the benchmark tells how far it is away.
//
//	where temp > 0, avg, min, max and count of temp by device, 10 s tumbling windows of ts
package bound

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"time"
)

const windowMillis = 10_000

// group is what is kept of a device in a window.
type group struct {
	sum, min, max float64
	n             int64
}

// window holds the groups of one window by device code.
type window struct {
	start  int64 // milliseconds
	groups []group
}

type aggregator struct {
	seed    maphash.Seed
	slots   []int32 // open addressing: code+1 by hash; 0 = free
	names   [][]byte
	windows []*window
	current *window // that of the last row
}

// Run reads JSON lines and writes the results as JSON lines, sorted by window
// and device. It returns the number of rows read.
func Run(path string, out io.Writer) (rows int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	a := &aggregator{seed: maphash.MakeSeed(), slots: make([]int32, 1<<12)}
	buf, have := make([]byte, 1<<20), 0
	for eof := false; !eof; {
		n, err := f.Read(buf[have:])
		if eof = err == io.EOF; err != nil && !eof {
			return rows, err
		}
		have += n
		if eof && have > 0 && buf[have-1] != '\n' && have < len(buf) {
			buf[have] = '\n'
			have++
		}
		end := bytes.LastIndexByte(buf[:have], '\n') + 1
		if end == 0 && have == len(buf) {
			return rows, fmt.Errorf("line %d is too long", rows+1)
		}
		for block := buf[:end]; len(block) > 0; rows++ {
			var r row
			used := r.scan(block)
			if used < 0 {
				return rows, fmt.Errorf("line %d is not a reading", rows+1)
			}
			block = block[used:]
			if r.temp > 0 {
				a.add(&r)
			}
		}
		have = copy(buf, buf[end:have])
	}
	return rows, a.write(out)
}

// Scan scans lines in memory and does nothing else. It gives their number and the sum of what they hold,
// so that nothing can be left out.
func Scan(lines []byte) (rows int64, sum float64, err error) {
	for len(lines) > 0 {
		var r row
		used := r.scan(lines)
		if used < 0 {
			return rows, sum, fmt.Errorf("line %d is not a reading", rows+1)
		}
		sum += r.temp + float64(r.millis) + float64(len(r.device))
		lines = lines[used:]
		rows++
	}
	return rows, sum, nil
}

// row is one reading; humidity has no use here.
type row struct {
	device []byte
	millis int64
	temp   float64
}

// scan reads one object and the line end behind it, in any order of fields, and
// returns its length; -1 = it is none.
func (r *row) scan(b []byte) int {
	if len(b) < 2 || b[0] != '{' {
		return -1
	}
	i := 1
	for {
		if i >= len(b) || b[i] != '"' {
			return -1
		}
		i++
		key := i
		for i < len(b) && b[i] != '"' {
			i++
		}
		if i+2 >= len(b) || b[i+1] != ':' {
			return -1
		}
		first := b[key]
		i += 2
		switch first {
		case 'd':
			i++
			from := i
			for i < len(b) && b[i] != '"' {
				if b[i] == '\\' {
					return -1
				}
				i++
			}
			if i >= len(b) {
				return -1
			}
			r.device = b[from:i]
			i++
		case 't':
			mantissa, digits, next := number(b, i)
			if next < 0 {
				return -1
			}
			if i = next; b[key+1] == 's' {
				r.millis = mantissa
			} else {
				r.temp = float64(mantissa) / powers[digits]
			}
		default:
			for i < len(b) && b[i] != ',' && b[i] != '}' {
				i++
			}
		}
		if i+1 >= len(b) {
			return -1
		}
		if b[i] == '}' && b[i+1] == '\n' {
			return i + 2
		}
		if b[i] != ',' {
			return -1
		}
		i++
	}
}

var powers = [...]float64{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// number reads digits with a sign and a point: the value is mantissa / 10^digits, which
// is exact up to 15 digits.
func number(b []byte, i int) (mantissa int64, digits, next int) {
	negative := b[i] == '-'
	if negative {
		i++
	}
	from, point := i, -1
	for ; i < len(b); i++ {
		c := b[i] - '0'
		if c > 9 {
			if b[i] != '.' || point >= 0 {
				break
			}
			point = i
			continue
		}
		mantissa = mantissa*10 + int64(c)
	}
	if i == from || i-from > 15 {
		return 0, 0, -1
	}
	if point >= 0 {
		digits = i - point - 1
	}
	if negative {
		mantissa = -mantissa
	}
	return mantissa, digits, i
}

func (a *aggregator) add(r *row) {
	code := a.code(r.device)
	w := a.current
	if w == nil || uint64(r.millis-w.start) >= windowMillis {
		w = a.window(r.millis - r.millis%windowMillis)
	}
	if code >= len(w.groups) {
		w.grow(code)
	}
	g := &w.groups[code]
	g.sum += r.temp
	g.min = min(g.min, r.temp)
	g.max = max(g.max, r.temp)
	g.n++
}

// code gives a device its number.
func (a *aggregator) code(name []byte) int {
	mask := len(a.slots) - 1
	i := int(maphash.Bytes(a.seed, name)) & mask
	for ; a.slots[i] != 0; i = (i + 1) & mask {
		if code := int(a.slots[i] - 1); bytes.Equal(a.names[code], name) {
			return code
		}
	}
	a.names = append(a.names, bytes.Clone(name))
	a.slots[i] = int32(len(a.names))
	if len(a.names)*2 > len(a.slots) {
		a.slots = make([]int32, 2*len(a.slots))
		for code, name := range a.names {
			i := int(maphash.Bytes(a.seed, name)) & (len(a.slots) - 1)
			for a.slots[i] != 0 {
				i = (i + 1) & (len(a.slots) - 1)
			}
			a.slots[i] = int32(code + 1)
		}
	}
	return len(a.names) - 1
}

// window finds or makes a window; there are few, and mostly the last is meant.
func (a *aggregator) window(start int64) *window {
	for _, w := range slices.Backward(a.windows) {
		if w.start == start {
			a.current = w
			return w
		}
	}
	a.current = &window{start: start}
	a.windows = append(a.windows, a.current)
	return a.current
}

func (w *window) grow(code int) {
	for len(w.groups) <= max(code, 1023) {
		w.groups = append(w.groups, group{min: math.Inf(1), max: math.Inf(-1)})
	}
}

// write writes the results in the form of `leat run`.
func (a *aggregator) write(out io.Writer) error {
	slices.SortFunc(a.windows, func(x, y *window) int { return int(x.start - y.start) })
	order := make([]int, len(a.names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int { return bytes.Compare(a.names[x], a.names[y]) })
	w := bufio.NewWriterSize(out, 1<<16)
	var line []byte
	for _, win := range a.windows {
		for _, code := range order {
			if code >= len(win.groups) || win.groups[code].n == 0 {
				continue
			}
			g := &win.groups[code]
			line = append(line[:0], `{"window_start":"`...)
			line = time.UnixMilli(win.start).UTC().AppendFormat(line, time.RFC3339)
			line = append(line, `","window_end":"`...)
			line = time.UnixMilli(win.start+windowMillis).UTC().AppendFormat(line, time.RFC3339)
			line = append(append(append(line, `","device":"`...), a.names[code]...), `","temp_avg":`...)
			line = strconv.AppendFloat(line, g.sum/float64(g.n), 'f', -1, 64)
			line = strconv.AppendFloat(append(line, `,"temp_min":`...), g.min, 'f', -1, 64)
			line = strconv.AppendFloat(append(line, `,"temp_max":`...), g.max, 'f', -1, 64)
			line = strconv.AppendInt(append(line, `,"n":`...), g.n, 10)
			if _, err := w.Write(append(line, '}', '\n')); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}
