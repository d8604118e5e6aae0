package expr

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/zone"
)

func mapRunes(s string, f func(rune) rune) string {
	var b strings.Builder
	for _, c := range s {
		b.WriteRune(f(c))
	}
	return b.String()
}

func (o *oracle) strings(op string, vs []cell) cell {
	s := vs[0].s
	switch op {
	case "not":
		return cell{b: !vs[0].b}
	case "lower":
		return o.text(mapRunes(s, unicode.ToLower))
	case "upper":
		return o.text(mapRunes(s, unicode.ToUpper))
	case "||":
		return o.text(s + vs[1].s)
	case "replace":
		if vs[1].s == "" {
			return o.text(s)
		}
		return o.text(strings.ReplaceAll(s, vs[1].s, vs[2].s))
	case "substr":
		if len(vs) == 3 && vs[2].i < 0 {
			return o.fail(reasonSubstr)
		}
		var b strings.Builder
		for k, c := range []rune(s) {
			at := big.NewInt(int64(k + 1))
			from := big.NewInt(vs[1].i)
			if at.Cmp(from) < 0 || len(vs) == 3 && at.Cmp(from.Add(from, big.NewInt(vs[2].i))) >= 0 {
				continue
			}
			b.WriteRune(c)
		}
		return o.text(b.String())
	case "split_part":
		n := vs[2].i
		if n == 0 {
			return o.fail(reasonSplitPart)
		}
		parts := []string{s}
		if vs[1].s != "" {
			parts = strings.Split(s, vs[1].s)
		}
		if n < 0 {
			n += int64(len(parts)) + 1
		}
		if n < 1 || n > int64(len(parts)) {
			return cell{}
		}
		return o.text(parts[n-1])
	case "local_text":
		return o.text(naiveTime(vs[0].i))
	case "like_escape":
		e := []rune(vs[1].s)
		if len(e) > 1 {
			return o.fail(reasonEscape)
		}
		out := ""
		p := []rune(s)
		for k := 0; k < len(p); k++ {
			switch {
			case len(e) == 1 && p[k] == e[0]:
				out += `\`
				if k++; k < len(p) {
					out += string(p[k])
				}
			case p[k] == '\\':
				out += `\\`
			default:
				out += string(p[k])
			}
		}
		return o.text(out)
	case "like":
		var re strings.Builder
		p := []rune(vs[1].s)
		for k := 0; k < len(p); k++ {
			switch p[k] {
			case '%':
				re.WriteString(".*")
			case '_':
				re.WriteString(".")
			case '\\':
				if k++; k == len(p) {
					return o.fail(reasonLikeEscape)
				}
				fallthrough
			default:
				re.WriteString(regexp.QuoteMeta(string(p[k])))
			}
		}
		return cell{b: regexp.MustCompile("(?s)^(?:" + re.String() + ")$").MatchString(s)}
	case "regexp_like":
		return cell{b: regexp.MustCompile("(?s)" + vs[1].s).MatchString(s)}
	}
	panic("oracle: " + op)
}

func (o *oracle) cast(v cell, from, to batch.Type) cell {
	var err error
	switch {
	case from == to:
		return v
	case from == batch.String:
		switch to {
		case batch.Bool:
			v.b, err = ParseBool(v.s)
		case batch.Int:
			v.i, err = ParseInt(v.s)
		case batch.Double:
			v.d, err = ParseDouble(v.s)
		case batch.Bytes:
			v.p, err = ParseBytes(v.s)
		default:
			v.i, err = ParseTimestamp(v.s)
		}
		if err != nil {
			return o.fail(err.Error())
		}
	case to == batch.String:
		switch from {
		case batch.Bool:
			v.s = strconv.FormatBool(v.b)
		case batch.Double:
			v.s = string(appendDouble(nil, v.d))
		case batch.Timestamp:
			v.s = naiveTime(v.i) + "+00"
			if year := time.UnixMicro(v.i).UTC().Year(); year <= 0 {
				v.s = strings.TrimSuffix(naiveTime(v.i), " BC") + "+00 BC"
			}
		case batch.Bytes:
			v.s = fmt.Sprintf("\\x%x", v.p)
		default:
			v.s = strconv.FormatInt(v.i, 10)
		}
	case to == batch.Double:
		v.d = float64(v.i)
	case to == batch.Bool:
		v.b = v.i != 0
	case from == batch.Bool:
		v.i = int64(b2i(v.b))
	default:
		r := math.RoundToEven(v.d)
		if math.IsNaN(r) || r < -0x1p63 || r >= 0x1p63 {
			return o.fail(reasonIntRange)
		}
		v.i = int64(r)
	}
	return v
}

// zones are those of the tests, by rules that stand in the code.
var zones = func() map[string]*zone.Zone {
	// An hour is left out at 1 h of 2024-03-31 UTC and comes twice at 1 h of 2024-10-27.
	z, err := zone.New(3600, []zone.Change{{At: 1711846800, Offset: 7200}, {At: 1729990800, Offset: 3600}})
	if err != nil {
		panic(err)
	}
	return map[string]*zone.Zone{"UTC": nil, "Test/Zone": z}
}()

func (o *oracle) timestamps(op string, vs []cell) cell {
	last := vs[len(vs)-1]
	switch op {
	case "to_zone":
		return cell{i: zones[vs[0].s].Local(vs[1].i)}
	case "from_zone":
		return cell{i: zones[vs[0].s].UTC(vs[1].i)}
	}
	if len(vs) == 2 {
		return cell{i: naiveTrunc(vs[0].s, last.i)}
	}
	z := zones[vs[2].s]
	local := z.Local(vs[1].i)
	cut := naiveTrunc(vs[0].s, local)
	switch vs[0].s {
	case "microseconds", "milliseconds", "second", "minute", "hour":
		return cell{i: vs[1].i - (local - cut)}
	}
	return cell{i: z.UTC(cut)}
}

// naiveTime is the text of a timestamp without an offset.
func naiveTime(v int64) string {
	t := time.UnixMicro(v).UTC()
	s, year := t.Format("01-02 15:04:05.999999"), t.Year()
	if year <= 0 {
		return fmt.Sprintf("%04d-%s BC", 1-year, s)
	}
	return fmt.Sprintf("%04d-%s", year, s)
}

func naiveTrunc(unit string, v int64) int64 {
	t := time.UnixMicro(v).UTC()
	y, m, d := t.Date()
	down := func(years int) int { return y - (y%years+years)%years }
	switch unit {
	case "microseconds":
	case "milliseconds":
		t = t.Truncate(time.Millisecond)
	case "decade":
		t = time.Date(down(10), 1, 1, 0, 0, 0, 0, time.UTC)
	case "century":
		y--
		t = time.Date(down(100)+1, 1, 1, 0, 0, 0, 0, time.UTC)
	case "millennium":
		y--
		t = time.Date(down(1000)+1, 1, 1, 0, 0, 0, 0, time.UTC)
	case "second":
		t = t.Truncate(time.Second)
	case "minute":
		t = time.Date(y, m, d, t.Hour(), t.Minute(), 0, 0, time.UTC)
	case "hour":
		t = time.Date(y, m, d, t.Hour(), 0, 0, 0, time.UTC)
	case "day":
		t = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	case "week":
		t = time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
	case "month":
		t = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	case "quarter":
		t = time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	default:
		t = time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t.UnixMicro()
}

func naiveExtract(field string, v int64) float64 {
	t := time.UnixMicro(v).UTC()
	isoYear, week := t.ISOWeek()
	count := func(year, size int) float64 { // of years from 1 on, and of years before them
		n := 0
		for y := 1; y <= year; y += size {
			n++
		}
		for y := 0; y >= year; y -= size {
			n--
		}
		return float64(n)
	}
	decade := 0
	for 10*(decade+1) <= t.Year() {
		decade++
	}
	for 10*decade > t.Year() {
		decade--
	}
	exact, _ := big.NewRat(v, 1_000_000).Float64()
	return map[string]float64{
		"year": count(t.Year(), 1), "isoyear": count(isoYear, 1), "decade": float64(decade), "century": count(t.Year(), 100), "millennium": count(t.Year(), 1000),
		"isodow": float64((t.Weekday()+6)%7 + 1), "microseconds": float64(t.Second()*1_000_000 + t.Nanosecond()/1000),
		"milliseconds": float64(t.Second()*1_000_000+t.Nanosecond()/1000) / 1000,
		"month":        float64(t.Month()), "day": float64(t.Day()), "hour": float64(t.Hour()), "minute": float64(t.Minute()),
		"second": float64(int64(t.Second())*1_000_000+int64(t.Nanosecond()/1000)) / 1e6, "dow": float64(t.Weekday()), "doy": float64(t.YearDay()),
		"epoch": exact, "week": float64(week), "quarter": float64((t.Month()-1)/3 + 1),
	}[field]
}
