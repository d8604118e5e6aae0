package workload

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"time"
)

// sensor is a record of Theodolite.
type sensor struct {
	Identifier string
	Timestamp  int64
	ValueInW   float64
}

// event is what the queries need of Nexmark's events.
type event struct {
	Event                  string
	Auction, Bidder, Price int64
	At                     int64
}

// parse reads JSON lines.
func parse[T any](input []byte) (rows []T, err error) {
	d := json.NewDecoder(bytes.NewReader(input))
	for d.More() {
		var row T
		if err := d.Decode(&row); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func stamp(millis int64) string { return time.UnixMilli(millis).UTC().Format(time.RFC3339Nano) }

func double(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// sumOf is the exact sum, rounded once.
func sumOf(values []float64) float64 {
	sum := new(big.Rat)
	for _, v := range values {
		sum.Add(sum, new(big.Rat).SetFloat64(v))
	}
	f, _ := sum.Float64()
	return f
}

// varianceOf is the exact population variance, rounded once.
func varianceOf(values []float64) float64 {
	sum, squares, n := new(big.Rat), new(big.Rat), new(big.Rat).SetInt64(int64(len(values)))
	for _, v := range values {
		x := new(big.Rat).SetFloat64(v)
		sum.Add(sum, x)
		squares.Add(squares, x.Mul(x, x))
	}
	mean := new(big.Rat).Quo(sum, n)
	f, _ := squares.Sub(squares.Quo(squares, n), mean.Mul(mean, mean)).Float64()
	return f
}

func uc1(input []byte) (out []string, err error) {
	rows, err := parse[sensor](input)
	for _, r := range rows {
		out = append(out, fmt.Sprintf(`{"identifier":%q,"timestamp":%q,"valueInW":%s}`, r.Identifier, stamp(r.Timestamp), double(r.ValueInW)))
	}
	return out, err
}

func uc2(input []byte) (out []string, err error) {
	rows, err := parse[sensor](input)
	type key struct {
		start int64
		id    string
	}
	groups := map[key][]float64{}
	for _, r := range rows {
		k := key{r.Timestamp - r.Timestamp%60_000, r.Identifier}
		groups[k] = append(groups[k], r.ValueInW)
	}
	keys := make([]key, 0, len(groups))
	for k := range groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.id, b.id)) })
	for _, k := range keys {
		v := groups[k]
		out = append(out, fmt.Sprintf(`{"window_start":%q,"window_end":%q,"identifier":%q,"n":%d,"total":%s,"low":%s,"high":%s,"mean":%s,"variance":%s}`,
			stamp(k.start), stamp(k.start+60_000), k.id, len(v), double(sumOf(v)), double(slices.Min(v)), double(slices.Max(v)), double(sumOf(v)/float64(len(v))), double(varianceOf(v))))
	}
	return out, err
}

// uc3 gives each row to the 30 windows of 30 days that contain it. Days begin at midnight in Paris, and windows at multiples of a day since 1970 there.
func uc3(input []byte) (out []string, err error) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil, err
	}
	rows, err := parse[sensor](input)
	type key struct {
		day, hour int // of the window's first day, since 1970
		id        string
	}
	groups := map[key][]float64{}
	for _, r := range rows {
		local := time.UnixMilli(r.Timestamp).In(paris)
		day := int(time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86400)
		for back := range 30 {
			k := key{day - back, local.Hour(), r.Identifier}
			groups[k] = append(groups[k], r.ValueInW)
		}
	}
	keys := make([]key, 0, len(groups))
	for k := range groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.id, b.id), cmp.Compare(a.hour, b.hour))
	})
	midnight := func(day int) int64 {
		d := time.Unix(int64(day)*86400, 0).UTC()
		return time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, paris).UnixMilli()
	}
	for _, k := range keys {
		v := groups[k]
		out = append(out, fmt.Sprintf(`{"window_start":%q,"window_end":%q,"identifier":%q,"hour":%d,"mean":%s,"n":%d}`,
			stamp(midnight(k.day)), stamp(midnight(k.day+30)), k.id, k.hour, double(sumOf(v)/float64(len(v))), len(v)))
	}
	return out, err
}

// bids gives the bids among the events.
func bids(input []byte) (out []event, err error) {
	all, err := parse[event](input)
	for _, e := range all {
		if e.Event == "bid" {
			out = append(out, e)
		}
	}
	return out, err
}

// eachBid writes a line for each bid that f gives one for.
func eachBid(input []byte, f func(e event) string) (out []string, err error) {
	all, err := bids(input)
	for _, e := range all {
		if line := f(e); line != "" {
			out = append(out, line)
		}
	}
	return out, err
}

func q0(input []byte) ([]string, error) {
	return eachBid(input, func(e event) string {
		return fmt.Sprintf(`{"auction":%d,"bidder":%d,"price":%d,"at":%q}`, e.Auction, e.Bidder, e.Price, stamp(e.At))
	})
}

func q1(input []byte) ([]string, error) {
	return eachBid(input, func(e event) string {
		return fmt.Sprintf(`{"auction":%d,"bidder":%d,"price":%s,"at":%q}`, e.Auction, e.Bidder, double(float64(e.Price)*0.908), stamp(e.At))
	})
}

func q2(input []byte) ([]string, error) {
	return eachBid(input, func(e event) string {
		if e.Auction%123 != 0 {
			return ""
		}
		return fmt.Sprintf(`{"auction":%d,"price":%d}`, e.Auction, e.Price)
	})
}

// q5 counts bids by auction in ten seconds, every two, and gives the auction with most of them; the smallest of equals.
func q5(input []byte) (out []string, err error) {
	all, err := bids(input)
	counts := map[int64]map[int64]int{} // by end and auction
	for _, e := range all {
		for end := e.At - e.At%2000 + 2000; end <= e.At-e.At%2000+10_000; end += 2000 {
			if counts[end] == nil {
				counts[end] = map[int64]int{}
			}
			counts[end][e.Auction]++
		}
	}
	ends := make([]int64, 0, len(counts))
	for end := range counts {
		ends = append(ends, end)
	}
	slices.Sort(ends)
	for _, end := range ends {
		hot, most := int64(-1), 0
		for auction, n := range counts[end] {
			if n > most || n == most && auction < hot {
				hot, most = auction, n
			}
		}
		out = append(out, fmt.Sprintf(`{"window_end":%q,"auction":%d,"bids":%d}`, stamp(end), hot, most))
	}
	return out, err
}

// q7 gives the highest bid of each ten seconds; of equals that for the smallest auction, by the smallest bidder.
func q7(input []byte) (out []string, err error) {
	all, err := bids(input)
	slices.SortStableFunc(all, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.At/10_000, b.At/10_000), cmp.Compare(b.Price, a.Price), cmp.Compare(a.Auction, b.Auction), cmp.Compare(a.Bidder, b.Bidder))
	})
	last := int64(-1)
	for _, e := range all {
		if e.At/10_000 != last {
			last = e.At / 10_000
			out = append(out, fmt.Sprintf(`{"window_end":%q,"price":%d,"auction":%d,"bidder":%d}`, stamp((last+1)*10_000), e.Price, e.Auction, e.Bidder))
		}
	}
	return out, err
}
