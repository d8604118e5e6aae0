package compile

import (
	"fmt"
	"math"
	"strings"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// PortExplain says what travels through a port.
type PortExplain struct {
	Port      int      `json:"port"`
	Unit      string   `json:"unit"` // row, partial or forwarded row
	Split     string   `json:"split"`
	Freshness string   `json:"freshness,omitempty"` // its own
	Columns   []string `json:"columns"`
	// Bytes of one in frames of 1,000, compressed: an estimate.
	Bytes float64 `json:"bytes"`
}

func portOf(p *plan.Plan, i int, port *plan.Port) PortExplain {
	e := PortExplain{Port: i, Unit: "row", Split: "by agent"}
	switch port.Kind {
	case plan.Port_PARTIALS:
		e.Unit = "partial"
	case plan.Port_WINDOW_ROWS:
		e.Unit = "forwarded row"
	}
	if len(port.Keys) > 0 {
		e.Split = "by " + namesAt(port.Keys, port.Schema)
	} else if port.Kind != plan.Port_ROWS {
		e.Split = "not"
	}
	if port.FreshnessWindow || port.FreshnessMicros > 0 {
		e.Freshness = freshness(port.FreshnessMicros, port.FreshnessWindow)
	}
	for _, c := range port.Schema {
		e.Columns = append(e.Columns, c.Name+" "+batch.Type(c.Type).String())
	}
	e.Bytes = round(bytesOf(port, windowOf(p, i)), 1)
	return e
}

func (e *PortExplain) write(b *strings.Builder) {
	fmt.Fprintf(b, "  port %d: %ss, split %s", e.Port, e.Unit, e.Split)
	if e.Freshness != "" {
		fmt.Fprintf(b, ", freshness %s", e.Freshness)
	}
	if e.Unit == "forwarded row" {
		b.WriteString(" (only where partials would shrink nothing)")
	}
	fmt.Fprintf(b, "\n    columns: %s\n", strings.Join(e.Columns, ", "))
	fmt.Fprintf(b, "    estimate: %.1f bytes per %s in frames of 1,000 %ss, compressed\n", e.Bytes, e.Unit, e.Unit)
}

// windowOf is the window that feeds a port, or nil.
func windowOf(p *plan.Plan, port int) *plan.Window {
	for _, n := range p.Edge.Nodes {
		if o := n.GetPortOut(); o != nil && int(o.Port) == port && n.Input >= 0 {
			return p.Edge.Nodes[n.Input].GetPartialWindow()
		}
	}
	return nil
}

// typeBytes are rough figures of the columnar codec for one value of sensor
// data in a frame of 1,000 rows, compressed: regular times, dictionary-coded
// names, readings with one or two decimals. Together they give the measured 2.1
// bytes of a row (device, ts, temp, humidity; docs/benchmarks.md). Blobs are a guess.
var typeBytes = [...]float64{
	batch.Bool: 0.1, batch.Int: 0.8, batch.Double: 0.6, batch.String: 0.7, batch.Bytes: 16, batch.Timestamp: 0.2,
}

// Bytes of the parts of a partial, which give the measured 5.2 bytes of
// a partial of count, sum, min and max over ten rows (0.52 for each of them in docs/benchmarks.md; over a hundred rows 4.0). What sketches take depends on
// what they have seen; these are for some ten values.
const (
	sliceBytes    = 0.1
	sumBytes      = 2.6
	momentsBytes  = 30
	ddsketchBytes = 40
	hllBytes      = 40
	topBytes      = 100
)

// frameBytes is what a frame takes beside its rows: header, checksums, sections,
// dictionaries. Rows of 2.05 bytes take 3.1 in frames of 100 (docs/benchmarks.md).
const frameBytes = 110

// bytesOf estimates the bytes of one row or partial of a port.
func bytesOf(port *plan.Port, w *plan.Window) float64 {
	total := 0.0
	if port.Kind != plan.Port_PARTIALS || w == nil {
		for _, c := range port.Schema {
			total += typeBytes[batch.Type(c.Type)]
		}
		return total
	}
	for _, k := range w.Keys {
		total += typeBytes[batch.Type(k.Type)]
	}
	total += sliceBytes
	for _, a := range w.Accumulators {
		total += accumulatorBytes(a)
	}
	return total
}

func accumulatorBytes(a *plan.Accumulator) float64 {
	value := 0.6 // a count
	if t := batch.Type(a.Type); t.Valid() {
		value = typeBytes[t]
	}
	switch a.Kind {
	case aggregate.Count, aggregate.CountValue:
		return 0.6
	case aggregate.Sum:
		return sumBytes
	case aggregate.First, aggregate.Last:
		return value + 1
	case aggregate.Moments:
		return momentsBytes
	case "ddsketch":
		return ddsketchBytes
	case "hll":
		return hllBytes
	case "space_saving":
		return topBytes
	case "increase":
		return 2*value + 2
	}
	return value
}

// Load is what agents send at a given rate of rows.
type Load struct {
	RowsPerSecond  float64    `json:"rows_per_second"` // of one agent
	Keys           float64    `json:"keys"`            // of one agent
	Agents         float64    `json:"agents"`
	Ports          []PortLoad `json:"ports"`
	Frames         float64    `json:"frames_per_second"` // of one agent
	BytesPerSecond float64    `json:"bytes_per_second"`  // of one agent
	FleetBytes     float64    `json:"fleet_bytes_per_second"`
	Formula        []string   `json:"formula"`
}

// PortLoad is what one port carries.
type PortLoad struct {
	Port           int     `json:"port"`
	PerSecond      float64 `json:"per_second"` // rows or partials
	BytesPerSecond float64 `json:"bytes_per_second"`
}

// WithLoad adds what agents send when each takes rate rows a second of so
// many different keys.
func (e *Explanation) WithLoad(p *plan.Plan, rate, keys, agents float64) *Explanation {
	l := &Load{RowsPerSecond: rate, Keys: keys, Agents: agents, Formula: []string{
		"rows: rate, as if every row passed every condition",
		"partials: different(keys, rate x t) / t with t = the shorter of freshness and slice; different(k, n) = k x (1 - (1 - 1/k)^n), at most n",
		fmt.Sprintf("frames: one in the shortest freshness (or slice, with freshness: window), or one a row where rows are rarer; %d bytes each beside what they carry", frameBytes),
	}}
	shortest := math.Inf(1)
	for i, port := range p.Ports {
		w := windowOf(p, i)
		every := flushSeconds(p, port, w)
		load := PortLoad{Port: i, PerSecond: rate}
		switch {
		case port.Kind == plan.Port_WINDOW_ROWS && !w.ForwardRows, port.Kind == plan.Port_PARTIALS && w.ForwardRows:
			load.PerSecond = 0
		case port.Kind == plan.Port_PARTIALS:
			groups, t := 1.0, every
			if len(w.Keys) > 0 {
				groups = keys
			}
			if w.SliceMicros > 0 {
				t = min(t, float64(w.SliceMicros)/1e6)
			}
			load.PerSecond = different(groups, rate*t) / t
		}
		if load.PerSecond > 0 {
			shortest = min(shortest, every)
		}
		load.BytesPerSecond = round(load.PerSecond*bytesOf(port, w), 1)
		load.PerSecond = round(load.PerSecond, 2)
		l.Ports = append(l.Ports, load)
		l.BytesPerSecond += load.BytesPerSecond
	}
	l.Frames = round(min(rate, 1/shortest), 3)
	l.BytesPerSecond = round(l.BytesPerSecond+l.Frames*frameBytes, 1)
	l.FleetBytes = round(l.BytesPerSecond*agents, 1)
	e.Load = l
	return e
}

// flushSeconds is how often a port's frames leave.
func flushSeconds(p *plan.Plan, port *plan.Port, w *plan.Window) float64 {
	micros := port.FreshnessMicros
	if micros == 0 {
		micros = p.FreshnessMicros
	}
	if port.FreshnessWindow || port.FreshnessMicros == 0 && p.FreshnessWindow {
		micros = defaultFreshness
		if w.GetSliceMicros() > 0 {
			micros = w.SliceMicros
		} else if w != nil {
			micros = w.Windows[0].EveryMicros
		}
	}
	return max(float64(micros)/1e6, 0.001)
}

// different is the expected number of different keys among n rows of k keys.
func different(k, n float64) float64 {
	if k <= 1 {
		return min(1, n)
	}
	return min(n, k*(1-math.Pow(1-1/k, n)))
}

func round(x float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(x*unit) / unit
}

func (l *Load) write(b *strings.Builder) {
	fmt.Fprintf(b, "\nload at %g rows/s and %g keys on an agent\n", l.RowsPerSecond, l.Keys)
	for _, p := range l.Ports {
		fmt.Fprintf(b, "  port %d: %g a second, %g bytes/s\n", p.Port, p.PerSecond, p.BytesPerSecond)
	}
	fmt.Fprintf(b, "  frames: %g a second, %g bytes/s\n", l.Frames, round(l.Frames*frameBytes, 1))
	fmt.Fprintf(b, "  one agent: %g bytes/s; %g agents: %g bytes/s\n  formula:\n", l.BytesPerSecond, l.Agents, l.FleetBytes)
	for _, f := range l.Formula {
		fmt.Fprintf(b, "    %s\n", f)
	}
}
