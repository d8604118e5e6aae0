package expr

import (
	"math"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/zone"
)

// truncUnits are the units of date_trunc. Those from day on are longer than
// what changes of a zone's offset move.
var truncUnits = [...]string{
	"microseconds", "milliseconds", "second", "minute", "hour",
	"day", "week", "month", "quarter", "year", "decade", "century", "millennium",
}

// fixedUnits are the lengths of units that have one.
var fixedUnits = map[string]int64{
	"microseconds": 1, "milliseconds": 1000, "second": microsSecond, "minute": microsMinute, "hour": microsHour, "day": microsDay, "week": microsWeek,
}

// Timestamps nearer to the ends of their range than this are refused where a
// result could be out of range.
const timestampMargin = 1001 * 366 * microsDay

func nearFirst(v int64) bool { return v < math.MinInt64+timestampMargin }

func nearLimit(v int64) bool { return nearFirst(v) || v > math.MaxInt64-timestampMargin }

// dateTrunc is date_trunc of a literal unit.
type dateTrunc struct {
	unit  string
	fixed int64 // length of the unit, 0 where it varies
	zoned bool
	zone  *zone.Zone // where zoned
	a     node
	out   result
}

func (x *dateTrunc) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	x.out.reset(batch.Timestamp, r.n)
	x.out.validFrom(r.n, a)
	dst, src := x.out.col.Ints, a.Ints[:r.n]
	bad, refused := false, nearFirst
	switch {
	case x.zoned:
		refused = nearLimit
		for _, i := range r.all(rows) {
			dst[i] = x.inZone(src[i])
			bad = bad || nearLimit(src[i])
		}
	case x.fixed > 0:
		bad = truncFixed(dst, src, r.all(rows), x.fixed, x.origin())
	default:
		for _, i := range r.all(rows) {
			dst[i] = truncCivil(src[i], x.unit)
			bad = bad || nearFirst(src[i])
		}
	}
	if bad {
		r.failWhere(&x.out, rows, reasonTimestamp, func(i int) bool { return refused(src[i]) })
	}
	return &x.out.col
}

func (x *dateTrunc) origin() int64 {
	if x.unit == "week" {
		return weekOrigin
	}
	return 0
}

// inZone cuts the clock of the zone. Units below a day keep the offset of the
// instant, so that the hour that is shown twice is two hours, as in PostgreSQL.
func (x *dateTrunc) inZone(v int64) int64 {
	local := x.zone.Local(v)
	if x.fixed > 0 && x.fixed < microsDay {
		return v - (local - floorDiv(local, x.fixed)*x.fixed)
	}
	if x.fixed > 0 {
		return x.zone.UTC(floorDiv(local-x.origin(), x.fixed)*x.fixed + x.origin())
	}
	return x.zone.UTC(truncCivil(local, x.unit))
}

// truncFixed rounds down to multiples of size since origin. It tells whether
// a value is near the smallest timestamp.
func truncFixed(dst, src []int64, rows []uint32, size, origin int64) (bad bool) {
	for _, i := range rows {
		v := src[i]
		m := (v - origin) % size
		if m < 0 {
			m += size
		}
		dst[i] = v - m
		bad = bad || nearFirst(v)
	}
	return bad
}

func truncCivil(v int64, unit string) int64 {
	year, month, _ := civil(floorDiv(v, microsDay))
	switch unit {
	case "month":
		return daysFrom(year, month, 1) * microsDay
	case "quarter":
		return daysFrom(year, (month-1)/3*3+1, 1) * microsDay
	case "decade":
		year = floorDiv(year, 10) * 10
	case "century": // begins with a year 1
		year = floorDiv(year-1, 100)*100 + 1
	case "millennium":
		year = floorDiv(year-1, 1000)*1000 + 1
	}
	return daysFrom(year, 1, 1) * microsDay
}

// zoneShift is AT TIME ZONE: from instants to the clock of a zone, or back.
type zoneShift struct {
	zone *zone.Zone
	back bool
	a    node
	out  result
}

func (x *zoneShift) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	x.out.reset(batch.Timestamp, r.n)
	x.out.validFrom(r.n, a)
	dst, src := x.out.col.Ints, a.Ints[:r.n]
	bad := false
	if x.back {
		for _, i := range r.all(rows) {
			dst[i] = x.zone.UTC(src[i])
			bad = bad || nearLimit(src[i])
		}
	} else {
		for _, i := range r.all(rows) {
			dst[i] = x.zone.Local(src[i])
			bad = bad || nearLimit(src[i])
		}
	}
	if bad {
		r.failWhere(&x.out, rows, reasonTimestamp, func(i int) bool { return nearLimit(src[i]) })
	}
	return &x.out.col
}

// extract is extract(field FROM timestamp).
type extract struct {
	f   func(micros int64) float64
	a   node
	out result
}

func (x *extract) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	x.out.reset(batch.Double, r.n)
	x.out.validFrom(r.n, a)
	dst, src := x.out.col.Doubles, a.Ints
	for _, i := range r.all(rows) {
		dst[i] = x.f(src[i])
	}
	return &x.out.col
}

// clock is the time of day in microseconds.
func clock(v int64) int64 {
	m := v % microsDay
	if m < 0 {
		m += microsDay
	}
	return m
}

// extractFields are the fields of extract.
var extractFields = [...]string{
	"microseconds", "milliseconds", "second", "minute", "hour", "day", "dow", "isodow", "doy", "week", "month", "quarter",
	"year", "isoyear", "decade", "century", "millennium", "epoch",
}

// extractor gives the function of a field, or nil.
func extractor(field string) func(v int64) float64 {
	switch field {
	case "microseconds":
		return func(v int64) float64 { return float64(clock(v) % microsMinute) }
	case "milliseconds":
		return func(v int64) float64 { return float64(clock(v)%microsMinute) / 1000 }
	case "second":
		return func(v int64) float64 { return float64(clock(v)%microsMinute) / microsSecond }
	case "minute":
		return func(v int64) float64 { return float64(clock(v) / microsMinute % 60) }
	case "hour":
		return func(v int64) float64 { return float64(clock(v) / microsHour) }
	case "epoch":
		return epoch
	}
	if f := dateField(field); f != nil {
		return func(v int64) float64 { return float64(f(floorDiv(v, microsDay))) }
	}
	return nil
}

// dateField is the function of a field of the date, given in days since 1970.
func dateField(field string) func(days int64) int64 {
	switch field {
	case "day":
		return func(d int64) int64 { _, _, day := civil(d); return day }
	case "dow": // Sunday is 0; 1970-01-01 was a Thursday
		return func(d int64) int64 { return d + 4 - floorDiv(d+4, 7)*7 }
	case "isodow": // Monday is 1
		return func(d int64) int64 { return d + 3 - floorDiv(d+3, 7)*7 + 1 }
	case "doy":
		return func(d int64) int64 { y, _, _ := civil(d); return d - daysFrom(y, 1, 1) + 1 }
	case "week":
		return func(d int64) int64 { _, w := isoWeek(d); return w }
	case "month":
		return func(d int64) int64 { _, m, _ := civil(d); return m }
	case "quarter":
		return func(d int64) int64 { _, m, _ := civil(d); return (m-1)/3 + 1 }
	}
	year := func(d int64) int64 { y, _, _ := civil(d); return y }
	switch field {
	case "year":
		return func(d int64) int64 { return shown(year(d)) }
	case "isoyear":
		return func(d int64) int64 { y, _ := isoWeek(d); return shown(y) }
	case "decade":
		return func(d int64) int64 { return floorDiv(year(d), 10) }
	case "century":
		return func(d int64) int64 { return ordinal(year(d), 100) }
	case "millennium":
		return func(d int64) int64 { return ordinal(year(d), 1000) }
	}
	return nil
}

// epoch is a timestamp in seconds: the double nearest to the exact quotient,
// also where v itself is no double.
func epoch(v int64) float64 {
	if -1<<53 <= v && v <= 1<<53 {
		return float64(v) / microsSecond
	}
	whole := float64(v / microsSecond) // below 2^53, so exact
	return whole + float64(v%microsSecond)/microsSecond
}
