package columnar

import (
	"strconv"

	"github.com/leatio/leat/engine/batch"
)

// strings reads len(dst) codes of dict.
func (r *reader) strings(dst []uint32, dict *batch.Dict) {
	if len(dst) == 0 {
		return
	}
	switch form := r.byte("strings"); form {
	case stringsDirect:
		r.list(dst, dict)
	case stringsDictionary:
		size := r.count("dictionary size", len(dst))
		if size == 0 {
			r.fail("empty dictionary")
		}
		if !r.charge(size, 4) {
			return
		}
		codes := make([]uint32, size)
		r.list(codes, dict)
		places := r.intScratch(len(dst))
		if r.ints(places); r.err != nil {
			return
		}
		for i, p := range places {
			if uint64(p) >= uint64(size) {
				r.fail("string %d of a dictionary of %d", p, size)
				return
			}
			dst[i] = codes[p]
		}
	default:
		r.fail("strings in form %d", form)
	}
}

// dictEntry is what a string costs beside its bytes.
const dictEntry = 64

// list reads len(dst) > 0 strings into dict.
func (r *reader) list(dst []uint32, dict *batch.Dict) {
	if r.err != nil || !r.charge(len(dst), dictEntry) {
		return
	}
	switch form := r.byte("list"); form {
	case listFront:
		r.frontList(dst, dict)
	case listNumber:
		r.numberList(dst, dict)
	default:
		r.fail("list in form %d", form)
	}
}

func (r *reader) frontList(dst []uint32, dict *batch.Dict) {
	n := len(dst)
	shared, rest := make([]int64, n), make([]int64, n)
	r.ints(shared)
	if r.ints(rest); r.err != nil {
		return
	}
	total, last := int64(0), int64(0)
	for i, k := range shared {
		m := rest[i]
		if k < 0 || m < 0 || k > last || m > int64(r.budget) {
			r.fail("string of %d shared and %d own bytes after one of %d", k, m, last)
			return
		}
		last = k + m
		total += m
		if !r.charge(int(last), 1) {
			return
		}
	}
	text := make([]byte, total)
	if r.plane(text); r.err != nil {
		return
	}
	var s []byte
	for i, k := range shared {
		s = append(s[:k], text[:rest[i]]...)
		text = text[rest[i]:]
		dst[i] = dict.Code(s)
	}
}

func (r *reader) numberList(dst []uint32, dict *batch.Dict) {
	prefix := r.bytes("prefix", r.count("prefix length", len(r.src)))
	suffix := r.bytes("suffix", r.count("suffix length", len(r.src)))
	digits := int(r.byte("digits"))
	if digits > maxDigits {
		r.fail("number of %d digits", digits)
	}
	if !r.charge(len(dst), len(prefix)+len(suffix)+maxDigits+1) {
		return
	}
	vals := make([]int64, len(dst))
	if r.ints(vals); r.err != nil {
		return
	}
	var num [maxDigits + 2]byte
	s := append([]byte(nil), prefix...)
	for i, v := range vals {
		if v < 0 || v > 999_999_999_999_999_999 {
			r.fail("number %d in a string", v)
			return
		}
		text := strconv.AppendInt(num[:0], v, 10)
		s = s[:len(prefix)]
		for range digits - len(text) {
			s = append(s, '0')
		}
		s = append(append(s, text...), suffix...)
		dst[i] = dict.Code(s)
	}
}
