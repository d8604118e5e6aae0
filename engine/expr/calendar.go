package expr

import "math"

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

// isoWeek is the ISO 8601 year and week: those that the week's Thursday is in.
func isoWeek(days int64) (year, week int64) {
	thursday := floorDiv(days-4, 7)*7 + 4 + 3
	year, _, _ = civil(thursday)
	return year, (thursday-daysFrom(year, 1, 1))/7 + 1
}

// shown is a year as people count: there is none between 1 BC, which is -1,
// and 1 AD. Civil years count through: 1 BC is 0.
func shown(year int64) int64 {
	if year <= 0 {
		return year - 1
	}
	return year
}

// ordinal is the number of the century (size 100) or millennium of a civil year,
// the first of which begin with the year 1.
func ordinal(year, size int64) int64 {
	if year > 0 {
		return (year + size - 1) / size
	}
	return -((size - year) / size)
}

// timestampOf joins a date and a time of day; not ok when it does not fit.
func timestampOf(days, micros int64) (int64, bool) {
	if days > math.MaxInt64/microsDay-2 || days < math.MinInt64/microsDay+2 { // micros is less than two days
		return 0, false
	}
	return days*microsDay + micros, true
}
