package compile

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// nearest is the candidate that differs from name in the fewest letters, or
// nothing when none is near.
func nearest(name string, candidates []string) string {
	if len(name) > 64 {
		return ""
	}
	best, bestDistance := "", 1+min(2, (len(name)+1)/3)
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// oneOf says what could stand at a place, and cuts long lists.
func oneOf(names []string) string {
	const most = 20
	switch n := len(names); {
	case n == 0:
		return ""
	case n == 1:
		return names[0]
	case n > most:
		return fmt.Sprintf("one of %s, ... (%d more)", strings.Join(names[:most], ", "), n-most)
	}
	return "one of " + strings.Join(names, ", ")
}

// distance counts the letters to insert, remove, replace or swap with their
// neighbour to make b of a (the optimal string alignment distance).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			differs := 1
			if a[i-1] == b[j-1] {
				differs = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+differs)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

const maxNameBytes = 128

// columnName says what is wrong with the name of a column that the file
// makes; empty when nothing is.
func columnName(name string) string {
	switch {
	case name == "":
		return "a column has no name"
	case len(name) > maxNameBytes:
		return fmt.Sprintf("the column name %q is longer than %d bytes", shorten(name), maxNameBytes)
	case name[0] == '_':
		return fmt.Sprintf("the column name %q begins with an underscore, which is kept for Leat's own columns", shorten(name))
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return fmt.Sprintf("the column name %q holds a control character", shorten(name))
		}
	}
	return ""
}

var durationUnits = []struct {
	name   string
	micros int64
}{
	{"d", 24 * int64(time.Hour/time.Microsecond)},
	{"h", int64(time.Hour / time.Microsecond)},
	{"ms", int64(time.Millisecond / time.Microsecond)},
	{"m", int64(time.Minute / time.Microsecond)},
	{"s", int64(time.Second / time.Microsecond)},
}

// maxDuration bounds every duration of the file: 100 years.
const maxDuration = 36_500 * 24 * int64(time.Hour/time.Microsecond)

// parseDuration reads whole numbers with units, as in 10s or 1h30m, to
// microseconds. It says what is wrong, or nothing.
func parseDuration(s string) (micros int64, wrong string) {
	rest := s
	for {
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		if digits == 0 || digits > 15 {
			return 0, "is not a duration"
		}
		var n int64
		for _, d := range rest[:digits] {
			n = 10*n + int64(d-'0')
		}
		rest = rest[digits:]
		unit := int64(0)
		for _, u := range durationUnits {
			if tail, ok := strings.CutPrefix(rest, u.name); ok {
				unit, rest = u.micros, tail
				break
			}
		}
		if unit == 0 {
			if rest == "" {
				return 0, "is a duration without a unit"
			}
			return 0, "is not a duration"
		}
		if n > maxDuration/unit || micros+n*unit > maxDuration {
			return 0, "is longer than 100 years"
		}
		micros += n * unit
		if rest == "" {
			return micros, ""
		}
	}
}

var sizePattern = regexp.MustCompile(`^[0-9]{1,12}(B|KB|MB|GB|KiB|MiB|GiB)$`)

var sizeUnits = map[string]uint64{"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

// maxSize bounds every size of the file: 1 TiB.
const maxSize = 1 << 40

// parseSize reads a whole number with a unit, as in 64MiB, to bytes. It says
// what is wrong, or nothing.
func parseSize(s string) (bytes uint64, wrong string) {
	m := sizePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, "is not a size"
	}
	for _, d := range strings.TrimSuffix(s, m[1]) {
		bytes = 10*bytes + uint64(d-'0')
	}
	if bytes > maxSize/sizeUnits[m[1]] {
		return 0, "is more than 1 TiB"
	}
	return bytes * sizeUnits[m[1]], ""
}

// FormatDuration writes microseconds as the file would: 1m30s.
func FormatDuration(micros int64) string {
	if micros == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, name := range []string{"d", "h", "m", "s", "ms"} {
		for _, u := range durationUnits {
			if u.name == name && micros >= u.micros {
				fmt.Fprintf(&b, "%d%s", micros/u.micros, name)
				micros %= u.micros
			}
		}
	}
	if micros != 0 {
		fmt.Fprintf(&b, "%dus", micros)
	}
	return b.String()
}
