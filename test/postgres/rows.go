package postgres

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/leatio/leat/engine/batch"
)

// columns of the table that both evaluate over. f0 holds times far from
// now, which no time zone's rules are asked about.
var columns = batch.Schema{
	{Name: "b0", Type: batch.Bool}, {Name: "b1", Type: batch.Bool},
	{Name: "i0", Type: batch.Int}, {Name: "i1", Type: batch.Int}, {Name: "i2", Type: batch.Int},
	{Name: "d0", Type: batch.Double}, {Name: "d1", Type: batch.Double}, {Name: "d2", Type: batch.Double},
	{Name: "s0", Type: batch.String}, {Name: "s1", Type: batch.String}, {Name: "n0", Type: batch.String},
	{Name: "y0", Type: batch.Bytes}, {Name: "y1", Type: batch.Bytes},
	{Name: "t0", Type: batch.Timestamp}, {Name: "t1", Type: batch.Timestamp}, {Name: "f0", Type: batch.Timestamp},
}

// zoneNames are the zones that expressions name: with and without summer time, of half
// hours, with days left out, and with winter time below the standard.
var zoneNames = []string{"UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Europe/Dublin", "America/Sao_Paulo"}

// value is a cell; null where all is zero but null.
type value struct {
	null bool
	b    bool
	i    int64
	d    float64
	s    string // also bytes
}

func one[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

var (
	intPool = []int64{0, 1, -1, 2, 3, 7, -8, 10, 100, -1000, 1 << 31, -1 << 31, 1<<53 + 1, -1<<53 - 1, 3037000500, -3037000500, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1}
	// Sums of these stay clear of one another's last digits.
	doublePool = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, -0.5, 1.5, 2.5, -3.5, 0.1, 0.2, 7, 100, 1.005, -2.675, 123456.789, 1e15, 123456789012345680, 1e-5, 9.3e18, 1e23, -9e15, 2e22, -9.223372036854775e18, 0x1p63,
		1e300, -1e300, math.MaxFloat64, -math.MaxFloat64, 5e-324, 2.2250738585072014e-308, 1e-300, math.NaN(), math.Inf(1), math.Inf(-1), 0x1p53, 0x1p53 + 2, 4503599627370497.5}
	stringPool = []string{"", " ", "a", "A", "ab", "aB%", "a,b,c", ",", ",,", "a_c", "abc", "Grüße", "ß", "ÅSE", "İI", "日本語テキスト", "x\ny", "\tq ", "it's", "a\\b", "\\", "%", "_", "aaaa", "🎈a", "é", "e\u0301", "Ω≈ç√", "ǅ", "ﬀ", "a\\%c", "true", "100%"}
	// Texts that casts read, or just do not.
	numberPool = []string{"0", "1", "-1", " 12 ", "+7", "007", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1.5", "-.5", "5.", "1e3", "1E-3", "1e400", "-1e400", "1e-400", "4.9e-324", "NaN", "nan", "Infinity", "-inf", "+Infinity", "1 2", "", "-", "+", ".", "e5", "1e", "1.2.3", "--1", "12a",
		"t", "true", "TRUE", "yes", "no", "on", "of", "o", "off", "f", "tru e", "1970-01-01", "2026-01-31 12:30:00", "2026-02-30", "2026-01-31T12:30:15.2500007Z", "2026-01-31 24:00:00", "2026-01-31 23:59:60", "2024-02-29 00:00:00+05:30", "2024-02-29 23:59:59.9999995-0330", "2024-13-01", "2024-06-15 12:00:00.123456789+01", "1999-12-31 23:59:59.9999999", `\x00ff`, `\xa`, `\x4 1`, `\x41 42`, `a\134b`, `a\001`, `\400`, `\\`}
	bytesPool = []string{"", "\x00", "a", "ab", "\xff\xfe", "\x00\x01\x02", "grüße", "\\x41"}
)

// changes are instants at which zones of zoneNames change their offset.
var changes = []time.Time{
	time.Date(2024, 3, 31, 1, 0, 0, 0, time.UTC), time.Date(2024, 10, 27, 1, 0, 0, 0, time.UTC), time.Date(2024, 3, 10, 7, 0, 0, 0, time.UTC), time.Date(2024, 11, 3, 6, 0, 0, 0, time.UTC),
	time.Date(2024, 4, 6, 15, 0, 0, 0, time.UTC), time.Date(2024, 10, 5, 15, 30, 0, 0, time.UTC), time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC), time.Date(2018, 11, 4, 3, 0, 0, 0, time.UTC), time.Date(2018, 2, 18, 2, 0, 0, 0, time.UTC),
	time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2000, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(2020, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(1969, 12, 26, 0, 0, 0, 0, time.UTC),
}

// nearTime is one within the rules of zones, 1905 to 2095.
func nearTime(r *rand.Rand) int64 {
	if r.IntN(2) == 0 {
		return one(r, changes).UnixMicro() + r.Int64N(7*24*3600e6) - 3*24*3600e6
	}
	if r.IntN(3) == 0 {
		return one(r, changes).UnixMicro() + int64(r.IntN(3)-1)*one(r, []int64{0, 1, 1e6, 3600e6})
	}
	from, to := time.Date(1905, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), time.Date(2095, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	return from + r.Int64N(to-from)
}

// farTime is one of PostgreSQL's, from 4700 BC on.
func farTime(r *rand.Rand) int64 {
	if r.IntN(3) == 0 {
		return nearTime(r)
	}
	day := time.Date(one(r, []int{-4698, -44, -1, 0, 1, 2, 99, 100, 101, 1000, 1001, 1582, 1900, 2000, 2001, 2100, 9999, 10000, 100001, 290000}), time.Month(1+r.IntN(12)), 1+r.IntN(31), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1e6)*1000, time.UTC)
	if r.IntN(4) == 0 {
		day = time.Date(day.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return day.UnixMicro()
}

// random makes a value for a column.
func random(r *rand.Rand, f batch.Field) value {
	if r.IntN(6) == 0 {
		return value{null: true}
	}
	switch f.Type {
	case batch.Bool:
		return value{b: r.IntN(2) == 0}
	case batch.Int:
		if r.IntN(2) == 0 {
			return value{i: r.Int64N(41) - 20}
		}
		return value{i: one(r, intPool)}
	case batch.Double:
		switch r.IntN(5) {
		case 0:
			return value{d: float64(r.Int64N(4001)-2000) / 10}
		case 1:
			return value{d: r.NormFloat64() * math.Pow(10, float64(r.IntN(40)-20))}
		}
		return value{d: one(r, doublePool)}
	case batch.String:
		if f.Name[0] == 'n' {
			return value{s: one(r, numberPool)}
		}
		return value{s: one(r, stringPool)}
	case batch.Bytes:
		return value{s: one(r, bytesPool)}
	}
	if f.Name[0] == 'f' {
		return value{i: farTime(r)}
	}
	return value{i: nearTime(r)}
}

// appendValue adds a value to a column.
func appendValue(c *batch.Column, v value) {
	if v.null {
		c.AppendNull()
		return
	}
	n := c.Len()
	switch c.Type {
	case batch.Bool:
		c.Bools = append(c.Bools, v.b)
	case batch.Double:
		c.Doubles = append(c.Doubles, v.d)
	case batch.String:
		if c.Dict == nil {
			c.Dict = batch.NewDict()
		}
		c.Codes = append(c.Codes, c.Dict.CodeString(v.s))
	case batch.Bytes:
		c.AppendBlob([]byte(v.s))
	default:
		c.Ints = append(c.Ints, v.i)
	}
	if c.Valid != nil {
		c.Valid = c.Valid.Append(n, true)
	}
}

// randomRows makes a batch, and the same rows as the text of VALUES.
func randomRows(r *rand.Rand, n int) (*batch.Batch, string) {
	b := batch.New(columns)
	b.N = n
	var sql strings.Builder
	for i := range n {
		if i > 0 {
			sql.WriteString(",\n")
		}
		fmt.Fprintf(&sql, "(%d", i)
		for k, f := range columns {
			v := random(r, f)
			appendValue(&b.Cols[k], v)
			sql.WriteString(", " + sqlLiteral(v, f.Type))
		}
		sql.WriteString(")")
	}
	return b, sql.String()
}

// sqlNames are PostgreSQL's names of the types.
var sqlNames = map[batch.Type]string{
	batch.Bool: "boolean", batch.Int: "bigint", batch.Double: "double precision", batch.String: "text", batch.Bytes: "bytea", batch.Timestamp: "timestamptz",
}

// sqlLiteral writes a value for PostgreSQL.
func sqlLiteral(v value, t batch.Type) string {
	var text string
	switch {
	case v.null:
		return "NULL::" + sqlNames[t]
	case t == batch.Bool:
		text = strconv.FormatBool(v.b)
	case t == batch.Int:
		text = strconv.FormatInt(v.i, 10)
	case t == batch.Double:
		text = strconv.FormatFloat(v.d, 'g', -1, 64)
		if math.IsInf(v.d, 0) {
			text += "inity"
			text = strings.Replace(text, "+Infinity", "Infinity", 1)
		}
	case t == batch.String:
		text = v.s
	case t == batch.Bytes:
		text = fmt.Sprintf(`\x%x`, v.s)
	default:
		text = timeText(v.i)
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'::" + sqlNames[t]
}

// timeText writes a timestamp as both read it.
func timeText(micros int64) string {
	t := time.UnixMicro(micros).UTC()
	year, era := t.Year(), ""
	if year <= 0 {
		year, era = 1-year, " BC"
	}
	return fmt.Sprintf("%04d-%s+00%s", year, t.Format("01-02 15:04:05.999999"), era)
}

// leatLiteral writes a value for Leat.
func leatLiteral(v value, t batch.Type) string {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	switch {
	case v.null:
		return "CAST(NULL AS " + t.String() + ")"
	case t == batch.Bool:
		return strconv.FormatBool(v.b)
	case t == batch.Int:
		return "(" + strconv.FormatInt(v.i, 10) + ")"
	case t == batch.Double:
		return quote(strconv.FormatFloat(v.d, 'g', -1, 64)) + "::double"
	case t == batch.String:
		return quote(v.s) + "::string"
	case t == batch.Bytes:
		return quote(fmt.Sprintf(`\x%x`, v.s)) + "::bytes"
	}
	return "TIMESTAMP " + quote(timeText(v.i))
}
