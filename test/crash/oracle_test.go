package crash

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// tables gives what correct tables would hold.
func tables(o *oracle) (map[windowKey]window, map[message]int64) {
	windows, rows := map[windowKey]window{}, map[message]int64{}
	for k, w := range o.windows {
		windows[k] = window{n: w.n, total: w.total, low: w.low, high: w.high, mean: w.mean}
	}
	for m, n := range o.rows {
		rows[m] = n
	}
	return windows, rows
}

func TestOracleSeesEveryDifference(t *testing.T) {
	o, in := newOracle(), newInput(7)
	for range 5000 {
		o.add(in.next())
	}
	for _, m := range in.fresh() {
		o.add(m)
	}
	if w, r := tables(o); len(o.compareWindows(w)) != 0 || len(o.compareRows(r)) != 0 {
		t.Fatal("correct tables differ")
	}
	var last message
	for m := range o.rows {
		if m.device != stuckDevice && m.device != endDevice {
			last = m
		}
	}
	k := windowKey{last.device, last.millis - last.millis%windowMillis}
	for name, c := range map[string]struct {
		spoil func(map[windowKey]window, map[message]int64)
		want  string
	}{
		"a message lost": {func(w map[windowKey]window, r map[message]int64) {
			g := w[k]
			g.n--
			w[k] = g
			r[last]--
		}, "1 lost"},
		"one of many equal messages twice": {func(w map[windowKey]window, r map[message]int64) {
			for k, g := range w {
				if k.device == stuckDevice {
					g.n++
					w[k] = g
				}
			}
			r[message{stuckDevice, baseMillis, 21.37}]++
		}, "1 too many"},
		"the last bit": {func(w map[windowKey]window, r map[message]int64) {
			g := w[k]
			g.total = math.Nextafter(g.total, 1e9)
			w[k] = g
			delete(r, last)
		}, "wrong value"},
		"a window too few": {func(w map[windowKey]window, r map[message]int64) { delete(w, k); r[last] = 0 }, "lost"},
		"a window too many": {func(w map[windowKey]window, r map[message]int64) {
			w[windowKey{"nobody", 0}] = window{n: 3}
			r[message{"nobody", 0, 1}] = 3
		}, "3 too many"},
	} {
		w, r := tables(o)
		c.spoil(w, r)
		dw, dr := o.compareWindows(w), o.compareRows(r)
		if len(dw) != 1 || len(dr) != 1 || !strings.Contains(dw[0].String(), c.want) {
			t.Errorf("%s: windows %v, rows %v", name, dw, dr)
		}
	}
}

func TestOracleSumsExactly(t *testing.T) {
	o := newOracle()
	exact := new(big.Rat)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		m := message{"d", baseMillis, float64(rng.IntN(150_000)-50_000) / 1000}
		o.add(m)
		exact.Add(exact, new(big.Rat).SetFloat64(m.value))
	}
	want, _ := exact.Float64()
	if got := o.windows[windowKey{"d", baseMillis}]; got.total != want || got.mean != want/10_000 {
		t.Fatalf("%v, want a total of %v", got.text(), want)
	}
}

func TestInput(t *testing.T) {
	const n = 20_000
	a, b := newInput(3), newInput(3)
	seen := map[string]int{}
	newest := int64(0)
	for range n {
		m := a.next()
		if m != b.next() {
			t.Fatal("one seed, two inputs")
		}
		if m.device != stuckDevice && m.millis > a.millis() || m.millis < baseMillis {
			t.Fatalf("%+v at %d", m, a.millis())
		}
		newest = max(newest, m.millis)
		seen[string(m.payload())]++
	}
	stuck := seen[string(message{stuckDevice, baseMillis, 21.37}.payload())]
	if stuck < n*45/100 || stuck > n*55/100 || len(seen) > n*40/100 || len(seen) < n*20/100 {
		t.Errorf("%d of %d are one message, %d differ", stuck, n, len(seen))
	}
	fresh := a.fresh()
	for _, m := range fresh[:freshDevices] {
		if m.millis <= newest+windowMillis || m.millis+3*windowMillis >= fresh[freshDevices].millis {
			t.Errorf("%+v stands between %d and %d", m, newest, fresh[freshDevices].millis)
		}
	}
}

func TestDeck(t *testing.T) {
	for _, n := range []int{1, 4, 20, 100} {
		counts := map[kind]int{}
		for _, k := range deckOf(n, rand.New(rand.NewPCG(uint64(n), 2))) {
			counts[k]++
		}
		if counts[killAgent] != (n+1)/2 || counts[killBoth] != n/10 || counts[killCloud] != n/2-n/10 {
			t.Errorf("%d kills: %v", n, counts)
		}
	}
}

func TestMetrics(t *testing.T) {
	m, err := parseMetrics(strings.NewReader("# TYPE x counter\nx_total{pipeline=\"a\",version=\"1\"} 3\nx_total{pipeline=\"b\",version=\"1\"} 4.0\nx_total_more 9\nbroken\n"))
	if err != nil || m.sum("x_total") != 7 || m.of("x_total", "b") != 4 || m.of("x_total", "c") != 0 || m.sum("x_total_more") != 9 {
		t.Fatal(m, err)
	}
	before := metrics{`leat_agent_frames_total{pipeline="crash_rows",version="1"}`: 10, `leat_agent_frames_total{pipeline="crash_windows",version="1"}`: 5}
	after := metrics{`leat_agent_frames_acknowledged_total{pipeline="crash_rows",version="1"}`: 7, `leat_agent_frames_acknowledged_total{pipeline="crash_windows",version="1"}`: 6}
	if n := framesBetween(before, after); n != 3 {
		t.Fatalf("%d frames", n)
	}
}
