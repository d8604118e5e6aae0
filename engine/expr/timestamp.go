package expr

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// Microseconds in units of a fixed length.
const (
	microsSecond = 1_000_000
	microsMinute = 60 * microsSecond
	microsHour   = 60 * microsMinute
	microsDay    = 24 * microsHour
	microsWeek   = 7 * microsDay
	// weekOrigin is a Monday: 1970-01-05.
	weekOrigin = 4 * microsDay
)

// TruncUnits are the units of date_trunc.
var truncUnits = [...]string{"second", "minute", "hour", "day", "week", "month", "quarter", "year"}

// extractFields are the fields of extract.
var extractFields = [...]string{"year", "month", "day", "hour", "minute", "second", "dow", "doy", "epoch", "week", "quarter"}

// floorDiv is a/b rounded down, b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// civil is the proleptic Gregorian date of a number of days since 1970-01-01.
//
// The calendar is shifted to years that begin on 1 March, so that a leap day
// is the last of its year; 400 years are an era of 146,097 days (the method of
// Howard Hinnant's "chrono-compatible low-level date algorithms").
func civil(days int64) (year int64, month, day int64) {
	days += 719_468 // from 0000-03-01
	era := floorDiv(days, 146_097)
	doe := days - era*146_097
	yoe := (doe - doe/1460 + doe/36_524 - doe/146_096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	if month > 12 {
		month -= 12
	}
	year = yoe + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

// daysFrom is the inverse of civil.
func daysFrom(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(year, 400)
	yoe := year - era*400
	doy := (153*(month-3)+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146_097 + doe - 719_468
}

// isoWeek is the ISO 8601 week: the week of the year that the week's Thursday is in.
func isoWeek(days int64) int64 {
	monday := floorDiv(days-4, 7)*7 + 4
	thursday := monday + 3
	year, _, _ := civil(thursday)
	return (thursday-daysFrom(year, 1, 1))/7 + 1
}

// dateTrunc is date_trunc of a literal unit, in UTC.
type dateTrunc struct {
	unit string
	a    node
	out  result
}

func (x *dateTrunc) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	x.out.reset(batch.Timestamp, r.n)
	x.out.validFrom(r.n, a)
	dst, src := x.out.col.Ints, a.Ints[:r.n]
	bad := false
	switch x.unit {
	case "second":
		bad = truncFixed(dst, src, r.all(rows), microsSecond, 0)
	case "minute":
		bad = truncFixed(dst, src, r.all(rows), microsMinute, 0)
	case "hour":
		bad = truncFixed(dst, src, r.all(rows), microsHour, 0)
	case "day":
		bad = truncFixed(dst, src, r.all(rows), microsDay, 0)
	case "week":
		bad = truncFixed(dst, src, r.all(rows), microsWeek, weekOrigin)
	default:
		for _, i := range r.all(rows) {
			dst[i] = truncCivil(src[i], x.unit)
			bad = bad || dst[i] > src[i]
		}
	}
	if bad {
		r.failWhere(&x.out, rows, reasonTimestamp, func(i int) bool { return dst[i] > src[i] })
	}
	return &x.out.col
}

// truncFixed rounds down to multiples of size since origin. It tells whether
// a result fell below the smallest timestamp; such a one wraps and is above its source.
func truncFixed(dst, src []int64, rows []uint32, size, origin int64) (bad bool) {
	for _, i := range rows {
		v := src[i]
		m := v%size - origin%size
		if m < 0 {
			m += size
		}
		dst[i] = v - m
		bad = bad || dst[i] > v
	}
	return bad
}

func truncCivil(v int64, unit string) int64 {
	year, month, _ := civil(floorDiv(v, microsDay))
	switch unit {
	case "quarter":
		month = (month-1)/3*3 + 1
	case "year":
		month = 1
	}
	return daysFrom(year, month, 1) * microsDay
}

// extract is extract(field FROM timestamp), in UTC.
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

var extractors = map[string]func(v int64) float64{
	"year":    func(v int64) float64 { y, _, _ := civil(floorDiv(v, microsDay)); return float64(y) },
	"month":   func(v int64) float64 { _, m, _ := civil(floorDiv(v, microsDay)); return float64(m) },
	"day":     func(v int64) float64 { _, _, d := civil(floorDiv(v, microsDay)); return float64(d) },
	"quarter": func(v int64) float64 { _, m, _ := civil(floorDiv(v, microsDay)); return float64((m-1)/3 + 1) },
	"hour":    func(v int64) float64 { return float64(clock(v) / microsHour) },
	"minute":  func(v int64) float64 { return float64(clock(v) / microsMinute % 60) },
	"second":  func(v int64) float64 { return float64(clock(v)%microsMinute) / microsSecond },
	"epoch":   func(v int64) float64 { return float64(v) / microsSecond },
	"week":    func(v int64) float64 { return float64(isoWeek(floorDiv(v, microsDay))) },
	"dow": func(v int64) float64 { // Sunday is 0; 1970-01-01 was a Thursday
		d := floorDiv(v, microsDay) + 4
		return float64(d - floorDiv(d, 7)*7)
	},
	"doy": func(v int64) float64 {
		d := floorDiv(v, microsDay)
		y, _, _ := civil(d)
		return float64(d - daysFrom(y, 1, 1) + 1)
	},
}

// timestampOf joins a date and a time of day; not ok when it does not fit.
func timestampOf(days, micros int64) (int64, bool) {
	if days > math.MaxInt64/microsDay-1 || days < math.MinInt64/microsDay+1 {
		return 0, false
	}
	return days*microsDay + micros, true
}
