package crash

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
)

// oracle computes what the tables must hold, by other means than Leat: one
// message at a time, with sums of 300 bits.
type oracle struct {
	windows map[windowKey]*window
	rows    map[message]int64
}

type windowKey struct {
	device string
	start  int64 // milliseconds
}

// window is the expected or the found result of a device and ten seconds.
type window struct {
	n                      int64
	exact                  *big.Float // expected only
	total, low, high, mean float64
}

func newOracle() *oracle {
	return &oracle{windows: map[windowKey]*window{}, rows: map[message]int64{}}
}

func (o *oracle) add(m message) {
	o.rows[m]++
	if m.device == endDevice {
		return // its window stays open
	}
	k := windowKey{m.device, m.millis - m.millis%windowMillis}
	w := o.windows[k]
	if w == nil {
		w = &window{exact: new(big.Float).SetPrec(300), low: math.Inf(1), high: math.Inf(-1)}
		o.windows[k] = w
	}
	w.n++
	w.exact.Add(w.exact, big.NewFloat(m.value))
	w.total, _ = w.exact.Float64()
	w.low, w.high = min(w.low, m.value), max(w.high, m.value)
	w.mean = w.total / float64(w.n)
}

// difference is a place where a table is not as expected.
type difference struct {
	where     string
	want, got string
	rows      int64 // got minus want: below 0 lost, above 0 doubled
}

func (d difference) String() string {
	what := "wrong value"
	switch {
	case d.rows < 0:
		what = fmt.Sprintf("%d lost", -d.rows)
	case d.rows > 0:
		what = fmt.Sprintf("%d too many", d.rows)
	}
	return fmt.Sprintf("%s: %s: want %s, got %s", d.where, what, d.want, d.got)
}

// compareWindows gives every difference of the table crash_windows.
func (o *oracle) compareWindows(got map[windowKey]window) []difference {
	var out []difference
	for k, w := range o.windows {
		g := got[k]
		if !w.equal(g) {
			out = append(out, difference{fmt.Sprintf("window %s %d", k.device, k.start), w.text(), g.text(), g.n - w.n})
		}
	}
	for k, g := range got {
		if o.windows[k] == nil {
			out = append(out, difference{fmt.Sprintf("window %s %d", k.device, k.start), "none", g.text(), g.n})
		}
	}
	return sorted(out)
}

// compareRows gives every difference of the table crash_rows.
func (o *oracle) compareRows(got map[message]int64) []difference {
	var out []difference
	tell := func(m message, want, got int64) {
		if want != got {
			out = append(out, difference{fmt.Sprintf("row %s", m.payload()), fmt.Sprint(want), fmt.Sprint(got), got - want})
		}
	}
	for m, want := range o.rows {
		tell(m, want, got[m])
	}
	for m, n := range got {
		if o.rows[m] == 0 {
			tell(m, 0, n)
		}
	}
	return sorted(out)
}

func sorted(d []difference) []difference {
	slices.SortFunc(d, func(a, b difference) int { return cmp.Compare(a.where, b.where) })
	return d
}

// equal compares to the last bit.
func (w *window) equal(g window) bool {
	same := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }
	return w.n == g.n && same(w.total, g.total) && same(w.low, g.low) && same(w.high, g.high) && same(w.mean, g.mean)
}

func (w *window) text() string {
	return fmt.Sprintf("n=%d total=%v low=%v high=%v mean=%v", w.n, w.total, w.low, w.high, w.mean)
}
