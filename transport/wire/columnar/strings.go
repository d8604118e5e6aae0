package columnar

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/leatio/leat/engine/batch"
)

// A string column is
//
//	0 direct      a list of its values
//	1 dictionary  uvarint size, a list of the distinct values, then an integer per value, its place in the list
//
// and a list of strings is
//
//	0 front   lengths of the prefix shared with the string before (integers), lengths of the rest (integers),
//	          the rests as one plane
//	1 number  prefix, suffix (uvarint length, bytes each), byte digits, integers: every string is the
//	          prefix, a decimal number, the suffix; digits > 0: zeros in front fill it up to so many digits,
//	          0: no zeros in front
const (
	stringsDirect     = 0
	stringsDictionary = 1

	listFront  = 0
	listNumber = 1

	maxDigits = 18
)

// appendStrings appends the values of the given rows.
func (e *encoder) appendStrings(dst []byte, c *batch.Column, rows []uint32) []byte {
	if len(rows) == 0 {
		return dst
	}
	e.distinctStrings(c, rows)
	size := len(e.distinct)
	best := len(dst)
	dst = binary.AppendUvarint(append(dst, stringsDictionary), uint64(size))
	dst, front := e.appendList(dst, e.distinct)
	dst = e.appendInts(dst, e.codes)
	if front && size >= 16 {
		dst = e.trySorted(dst, best, size)
	}
	// With few repetitions, numbers are shorter than places in a list.
	if !front && size*4 > len(rows) {
		return e.tryDirect(dst, best)
	}
	return dst
}

// distinctStrings sets e.distinct to the distinct strings in order of first use and e.codes to each row's.
func (e *encoder) distinctStrings(c *batch.Column, rows []uint32) {
	e.distinct, e.codes = e.distinct[:0], e.codes[:0]
	e.places.reset(len(rows))
	for _, row := range rows {
		code := c.Codes[row]
		place, found := e.places.place(code, uint32(len(e.distinct)))
		if !found {
			e.distinct = append(e.distinct, c.Dict.Value(code))
		}
		e.codes = append(e.codes, int64(place))
	}
}

// trySorted replaces what stands in dst from start on by a dictionary in
// order, where that is shorter.
func (e *encoder) trySorted(dst []byte, start, size int) []byte {
	order := make([]int, size)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(e.distinct[a], e.distinct[b]) })
	sorted, place := make([]string, size), make([]int64, size)
	for i, o := range order {
		sorted[i], place[o] = e.distinct[o], int64(i)
	}
	for i, c := range e.codes {
		e.codes[i] = place[c]
	}
	mid := len(dst)
	dst = binary.AppendUvarint(append(dst, stringsDictionary), uint64(size))
	dst, _ = e.appendList(dst, sorted)
	dst = e.appendInts(dst, e.codes)
	return keepShorter(dst, start, mid)
}

func (e *encoder) tryDirect(dst []byte, start int) []byte {
	e.direct = e.direct[:0]
	for _, c := range e.codes {
		e.direct = append(e.direct, e.distinct[c])
	}
	mid := len(dst)
	dst, _ = e.appendList(append(dst, stringsDirect), e.direct)
	return keepShorter(dst, start, mid)
}

// keepShorter keeps the shorter of dst[start:mid] and dst[mid:].
func keepShorter(dst []byte, start, mid int) []byte {
	if len(dst)-mid < mid-start {
		return append(dst[:start], dst[mid:]...)
	}
	return dst[:mid]
}

// appendList appends a list and tells whether it is in the form front.
func (e *encoder) appendList(dst []byte, list []string) (_ []byte, front bool) {
	if n, ok := findNumber(list); ok {
		dst = append(dst, listNumber)
		dst = appendText(dst, n.prefix)
		dst = appendText(dst, n.suffix)
		dst = append(dst, byte(n.digits))
		e.numbers = e.numbers[:0]
		for _, s := range list {
			v, _ := parseDigits(s[len(n.prefix) : len(s)-len(n.suffix)])
			e.numbers = append(e.numbers, v)
		}
		return e.appendInts(dst, e.numbers), false
	}
	shared, rest := e.shared[:0], e.rest[:0]
	text := e.text[:0]
	prev := ""
	for _, s := range list {
		k := commonPrefix(prev, s)
		shared, rest = append(shared, int64(k)), append(rest, int64(len(s)-k))
		text = append(text, s[k:]...)
		prev = s
	}
	e.shared, e.rest, e.text = shared, rest, text
	dst = append(dst, listFront)
	dst = e.appendInts(dst, shared)
	dst = e.appendInts(dst, rest)
	return e.appendPlane(dst, text), true
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func commonSuffix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[len(a)-1-i] != b[len(b)-1-i] {
			return i
		}
	}
	return n
}

// number is the pattern prefix, decimal number, suffix.
type number struct {
	prefix, suffix string
	digits         int
}

// findNumber finds the pattern that all strings of the list follow.
func findNumber(list []string) (number, bool) {
	first := list[0]
	prefix, suffix := len(first), len(first)
	for _, s := range list[1:] {
		prefix = min(prefix, commonPrefix(first[:prefix], s))
		suffix = min(suffix, commonSuffix(first[len(first)-suffix:], s))
	}
	// Digits at the edges belong to the number.
	for prefix > 0 && isDigit(first[prefix-1]) {
		prefix--
	}
	for suffix > 0 && isDigit(first[len(first)-suffix]) {
		suffix--
	}
	n := number{first[:prefix], first[len(first)-suffix:], len(first) - prefix - suffix}
	for _, s := range list {
		if len(s) < prefix+suffix+1 {
			return number{}, false
		}
		if len(s)-prefix-suffix != n.digits {
			n.digits = 0
		}
	}
	for _, s := range list {
		body := s[prefix : len(s)-suffix]
		if _, ok := parseDigits(body); !ok || n.digits == 0 && body[0] == '0' && len(body) > 1 {
			return number{}, false
		}
	}
	return n, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseDigits reads 1 to maxDigits digits and nothing else.
func parseDigits(s string) (v int64, ok bool) {
	if len(s) == 0 || len(s) > maxDigits {
		return 0, false
	}
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		v = v*10 + int64(s[i]-'0')
	}
	return v, true
}
