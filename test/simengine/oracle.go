package simengine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// event is what an agent met, in its order: a row, or a watermark that was
// raised from outside (milliseconds; row nil).
type event struct {
	row   *row
	raise int64
}

// none is the watermark of a source without rows.
const none = math.MinInt64

// group is a window and key of the oracle, with every row as it is.
type group struct {
	start, end int64
	key        []string // as in results
	rows       []row
}

// results is a result table: the emitted columns by window and key.
type results map[string]string

// oracle is the naive way: each row by itself, every window that contains it by
// enumeration, exact sums by rationals. It gives the final table and how often a row was late for a window.
func (w *world) oracle(agents [][]event) (table results, late int) {
	groups := map[string]*group{}
	sessions := map[string][]row{} // by key
	for _, events := range agents {
		watermark := int64(none)
		for _, e := range events {
			if e.row == nil {
				watermark = max(watermark, e.raise)
				continue
			}
			r := *e.row
			before := watermark
			watermark = max(watermark, r.ts-w.disorder)
			if !((r.temp != nil && *r.temp >= w.where) || (r.on != nil && *r.on)) {
				continue
			}
			key := w.keyOf(&r)
			if w.windows[0].kind == "session" {
				if r.ts+w.windows[0].size+w.lateness <= before {
					late++
					continue
				}
				sessions[strings.Join(key, ",")] = append(sessions[strings.Join(key, ",")], r)
				continue
			}
			for _, iv := range w.windowsOf(r.ts) {
				if iv[1]+w.lateness <= before {
					late++
					continue
				}
				add(groups, iv[0], iv[1], key, r)
			}
		}
	}
	w.sessions(groups, sessions)
	return w.finish(groups), late
}

func add(groups map[string]*group, start, end int64, key []string, r row) {
	id := identity(start, end, key)
	g := groups[id]
	if g == nil {
		g = &group{start: start, end: end, key: key}
		groups[id] = g
	}
	g.rows = append(g.rows, r)
}

func identity(start, end int64, key []string) string {
	return fmt.Sprintf("%d %d %s", start, end, strings.Join(key, ","))
}

// sessions makes groups of each key's rows: a row less than the gap after the
// one before belongs to the same session.
func (w *world) sessions(groups map[string]*group, byKey map[string][]row) {
	gap := w.windows[0].size
	for _, rows := range byKey {
		slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.ts, b.ts) })
		for i := 0; i < len(rows); {
			j := i + 1
			for j < len(rows) && rows[j].ts-rows[j-1].ts < gap {
				j++
			}
			for _, r := range rows[i:j] {
				add(groups, rows[i].ts, rows[j-1].ts+gap, w.keyOf(&r), r)
			}
			i = j
		}
	}
}

func (w *world) keyOf(r *row) []string {
	key := []string{}
	for _, k := range w.keys {
		switch {
		case k == "device" && r.device != nil:
			key = append(key, `"`+*r.device+`"`)
		case k == "area" && r.area != nil:
			key = append(key, fmt.Sprint(*r.area))
		default:
			key = append(key, "null")
		}
	}
	return key
}

// windowsOf gives every window that contains a time, each once.
func (w *world) windowsOf(t int64) [][2]int64 {
	var out [][2]int64
	put := func(start, end int64) {
		if iv := [2]int64{start, end}; start <= t && t < end && !slices.Contains(out, iv) {
			out = append(out, iv)
		}
	}
	for _, s := range w.windows {
		local := w.local(t)
		base := local - mod(local, s.every)
		switch s.kind {
		case "cumulative":
			first := local - mod(local, s.size)
			for _, from := range []int64{first - s.size, first, first + s.size} {
				for k := int64(1); k*s.every <= s.size; k++ {
					put(w.boundary(from), w.boundary(from+k*s.every))
				}
			}
		default:
			for from := base - s.size - s.every; from <= base+s.every; from += s.every {
				put(w.boundary(from), w.boundary(from+s.size))
			}
		}
	}
	return out
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

// local is the zone's clock at a time. Windows shorter than an hour stay aligned to UTC.
func (w *world) local(t int64) int64 {
	if !w.zoned() {
		return t
	}
	_, offset := time.UnixMilli(t).In(w.location).Zone()
	return t + int64(offset)*second
}

// zoned tells whether the zone aligns the windows.
func (w *world) zoned() bool { return w.zone != "" && w.windows[0].every >= hour }

// boundary is the first time at which the zone's clock has reached local. It
// looks at every quarter of an hour.
func (w *world) boundary(local int64) int64 {
	if !w.zoned() {
		return local
	}
	if t, ok := w.boundaries[local]; ok {
		return t
	}
	const quarter = 15 * minute
	t := local - 15*hour
	t -= mod(t, quarter)
	for w.local(t) < local {
		t += quarter
	}
	w.boundaries[local] = t
	return t
}

// finish makes the table of the groups.
func (w *world) finish(groups map[string]*group) results {
	outer, out := map[string]*rollUp{}, results{}
	for id, g := range groups {
		if w.having > 0 && len(g.rows) < w.having {
			continue
		}
		r := reduce(g)
		if w.chain == 0 {
			out[id] = r.line()
			continue
		}
		w.roll(outer, g, r)
	}
	for id, o := range outer {
		out[id] = o.line()
	}
	return out
}
