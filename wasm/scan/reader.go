package scan

import (
	"errors"
	"unicode/utf8"
)

var (
	errTruncated = errors.New("ends too early")
	errLEB       = errors.New("has a number that is too long")
	errUTF8      = errors.New("has a name that is not UTF-8")
)

// reader walks over bytes. The first error sticks and turns every later read
// into a zero.
type reader struct {
	b   []byte
	at  int
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) more() bool { return r.err == nil && r.at < len(r.b) }

func (r *reader) u8() byte {
	if r.err != nil {
		return 0
	}
	if r.at >= len(r.b) {
		r.fail(errTruncated)
		return 0
	}
	c := r.b[r.at]
	r.at++
	return c
}

// u32 reads an unsigned LEB128 of at most 32 bits.
func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.u8()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if v > 1<<32-1 {
				r.fail(errLEB)
				return 0
			}
			return uint32(v)
		}
	}
	r.fail(errLEB)
	return 0
}

// skipLEB passes over a LEB128 of at most n bytes.
func (r *reader) skipLEB(n int) {
	for range n {
		if r.u8() < 0x80 {
			return
		}
	}
	r.fail(errLEB)
}

// bytes takes the next n bytes, without copying.
func (r *reader) bytes(n uint32) []byte {
	if r.err != nil {
		return nil
	}
	if uint64(n) > uint64(len(r.b)-r.at) {
		r.fail(errTruncated)
		return nil
	}
	p := r.b[r.at : r.at+int(n)]
	r.at += int(n)
	return p
}

func (r *reader) name() string {
	p := r.bytes(r.u32())
	if !utf8.Valid(p) {
		r.fail(errUTF8)
		return ""
	}
	return string(p)
}

// limits reads the limits of a table or memory.
func (r *reader) limits() (lim limits) {
	switch r.u8() {
	case 0:
		lim.min = r.u32()
	case 1:
		lim.min, lim.max, lim.bounded = r.u32(), r.u32(), true
	default:
		r.fail(errors.New("has limits of an unknown kind (shared or 64-bit memory is not part of WebAssembly 2.0)"))
	}
	return lim
}

type limits struct {
	min, max uint32
	bounded  bool
}
