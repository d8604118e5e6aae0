package simengine

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
)

// reduced are the emitted columns of a group; nil = null.
type reduced struct {
	n, some                   int64
	total, mean, low, high    *float64
	oldest, newest, deviation *float64
	anyOn                     *bool
}

// reduce computes the aggregates of a group from all of its rows.
func reduce(g *group) reduced {
	out := reduced{n: int64(len(g.rows))}
	var temps []float64
	var first, last row
	for _, r := range g.rows {
		if r.on != nil {
			any := *r.on || out.anyOn != nil && *out.anyOn
			out.anyOn = &any
		}
		if r.temp == nil {
			continue
		}
		temps = append(temps, *r.temp)
		if first.temp == nil || r.ts < first.ts || r.ts == first.ts && *r.temp < *first.temp {
			first = r
		}
		if last.temp == nil || r.ts > last.ts || r.ts == last.ts && *r.temp < *last.temp {
			last = r
		}
	}
	out.some = int64(len(temps))
	if len(temps) == 0 {
		return out
	}
	total := exactSum(temps)
	mean := total / float64(len(temps))
	low, high := slices.Min(temps)+0, slices.Max(temps)+0
	deviation := exactDeviation(temps)
	out.total, out.mean, out.low, out.high, out.oldest, out.newest, out.deviation = &total, &mean, &low, &high, first.temp, last.temp, &deviation
	return out
}

func exactSum(values []float64) float64 {
	sum := new(big.Rat)
	for _, v := range values {
		sum.Add(sum, new(big.Rat).SetFloat64(v))
	}
	f, _ := sum.Float64()
	return f
}

func exactDeviation(values []float64) float64 {
	sum, squares := new(big.Rat), new(big.Rat)
	for _, v := range values {
		r := new(big.Rat).SetFloat64(v)
		sum.Add(sum, r)
		squares.Add(squares, r.Mul(r, r))
	}
	n := new(big.Rat).SetInt64(int64(len(values)))
	mean := new(big.Rat).Quo(sum, n)
	variance := new(big.Float).SetPrec(400).SetRat(new(big.Rat).Sub(new(big.Rat).Quo(squares, n), mean.Mul(mean, mean)))
	sd, _ := variance.Sqrt(variance).Float64()
	return sd
}

// text is a value as results print it.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func number(v *float64) string {
	if v == nil {
		return "null"
	}
	return text(*v + 0) // -0 is 0
}

func (r reduced) line() string {
	return fmt.Sprintf("n=%d some=%d total=%s mean=%s low=%s high=%s oldest=%s newest=%s sd=%s any_on=%s", r.n, r.some, number(r.total), number(r.mean),
		number(r.low), number(r.high), number(r.oldest), number(r.newest), number(r.deviation), text(r.anyOn))
}

// rollUp is a group of the second window.
type rollUp struct {
	n, rows int64
	totals  []float64
	high    *float64
}

// roll adds an inner result to the second window's group that contains its last moment.
func (w *world) roll(outer map[string]*rollUp, g *group, r reduced) {
	start := g.end - 1 - mod(g.end-1, w.chain)
	id := identity(start, start+w.chain, g.key)
	o := outer[id]
	if o == nil {
		o = &rollUp{}
		outer[id] = o
	}
	o.n++
	o.rows += r.n
	if r.total != nil {
		o.totals = append(o.totals, *r.total)
	}
	if r.high != nil && (o.high == nil || *r.high > *o.high) {
		o.high = r.high
	}
}

func (o *rollUp) line() string {
	var total *float64
	if len(o.totals) > 0 {
		t := exactSum(o.totals)
		total = &t
	}
	return fmt.Sprintf("n=%d rows=%d total=%s high=%s", o.n, o.rows, number(total), number(o.high))
}
