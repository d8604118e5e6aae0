package decode

import (
	"bytes"
	"encoding/binary"
	"math"
)

// A template is what the rows of one sender have in common: the text between
// the values, quotes included, as it stood in a row that the scanner has covered:
//
//	{"device":"dev-0361","ts":1700000000001,"temp":22.0}
//	^^^^^^^^^^^        ^^^^^^^             ^^^^^^^^    ^
//
// Where that text stands again at the places where a row's values begin and end, the row has the
// same keys in the same order, and nothing but the values is left to be read. One comparison of
// one or two words takes the place of four checks: of the comma, the key, the colon and the quote.
type template struct {
	fields  []field
	last    gap       // the closing brace
	missing []*column // that none of its keys names
}

// field is a value and the text before it.
type field struct {
	before gap
	kind   kind
	col    *column // nil for kindSkip
	shape  shape   // of the value in the row before
}

// gap is the text between two values, for a comparison by words: the first eight bytes, or
// fewer, and the last eight of more.
type gap struct {
	head, headMask uint64
	tail, tailMask uint64
	tailAt         int
	length         int
	text           string // of more than 16 bytes, else empty
	reach          int    // bytes that have to be there, with a number or short string behind it
}

// Bounds of a template.
const (
	maxTemplates = 4
	maxFields    = 256
	maxGapBytes  = 256
	valueReach   = 24 // a sign and two words
	learnEvery   = 16 // rows that no template covers, for one that is learned
)

func load(p []byte, i int) uint64 { return binary.LittleEndian.Uint64(p[i:]) }

// newGap gives false for text that cannot stand in any line.
func newGap(text []byte) (g gap, ok bool) {
	n := len(text)
	if n == 0 || n > maxGapBytes {
		return g, false
	}
	for _, c := range text {
		if c < ' ' {
			return g, false
		}
	}
	var padded [8]byte
	copy(padded[:], text)
	g = gap{head: binary.LittleEndian.Uint64(padded[:]), headMask: math.MaxUint64 >> (64 - 8*min(n, 8)), length: n, reach: n + valueReach}
	if n > 8 {
		g.tail, g.tailMask, g.tailAt = load(text, n-8), math.MaxUint64, n-8
	}
	if n > 16 {
		g.text = string(text)
	}
	return g, true
}

// stands tells whether the text stands at p[i]. There are reach bytes.
func (g *gap) stands(p []byte, i int) bool {
	return (load(p, i)^g.head)&g.headMask|(load(p, i+g.tailAt)^g.tail)&g.tailMask == 0 && (g.text == "" || string(p[i:i+g.length]) == g.text)
}

// learnTemplate makes a template of the object that is all of p, which the
// scanner has covered. It gives false where that cannot be one.
func (f *jsonFormat) learnTemplate(p []byte) (t template, ok bool) {
	var used uint32
	f.serial++ // marks the columns that a key names
	for i, from := 0, 0; ; {
		if i = skipSpace(p, i+1); i == len(p) || len(t.fields) == maxFields {
			return t, false
		}
		m, at := f.scanKey(p, i, maxKeysPerRow)
		if at < 0 {
			return t, false
		}
		i = skipSpace(p, at)
		end := skipValue(p, i, f.limits.Depth)
		if end < 0 {
			return t, false
		}
		next := end
		if m.kind == kindString || m.kind == kindTimeText || m.kind == kindBytes {
			if p[i] != '"' {
				return t, false // null
			}
			i, next = i+1, end-1
		}
		before, ok := newGap(p[from:i])
		if !ok {
			return t, false
		}
		if m.col != nil {
			m.col.seen = f.serial
			used++
		}
		fd := field{before: before, kind: m.kind, col: m.col}
		fd.shape.none()
		t.fields = append(t.fields, fd)
		from = next
		if i = skipSpace(p, end); i < len(p) && p[i] == ',' {
			continue
		}
		t.last, ok = newGap(p[from:])
		for c := range f.cols {
			if c := &f.cols[c]; c.seen != f.serial && int(used) < f.inputs && c.hidden == 0 {
				t.missing = append(t.missing, c)
			}
		}
		return t, ok
	}
}

// learnFrom makes a template of an object that the scanner has covered, now and then where most
// lines are like none of the templates. The oldest one goes.
func (f *jsonFormat) learnFrom(p []byte) {
	if !f.missed {
		return
	}
	f.missed = false
	if f.misses++; f.misses%learnEvery != 1 {
		return
	}
	t, ok := f.learnTemplate(p)
	if !ok {
		return
	}
	if len(f.templates) < maxTemplates {
		f.templates = append(f.templates, t)
		f.current = len(f.templates) - 1
		return
	}
	f.oldest = (f.oldest + 1) % maxTemplates
	f.templates[f.oldest], f.current = t, f.oldest
}

// run implements runner.
func (f *jsonFormat) run(p []byte, i int) (next, lines int) {
	before := f.rows
	for tried := 0; tried < len(f.templates); tried++ {
		if i = f.follow(&f.templates[f.current], p, i); i == len(p) {
			break
		}
		if f.rows > before+lines { // it covered some: the others may go on
			lines, tried = f.rows-before, 0
		}
		if f.current++; f.current >= len(f.templates) {
			f.current = 0
		}
	}
	f.missed = i < len(p)
	return i, f.rows - before
}

// follow decodes lines that have the template's form and gives the index of the first that has not.
func (f *jsonFormat) follow(t *template, p []byte, i int) int {
	start, row := i, f.rows
rows:
	for {
		if row == f.limit {
			f.grow(2 * f.limit)
		}
		for k := range t.fields {
			fd := &t.fields[k]
			if len(p)-i < fd.before.reach || !fd.before.stands(p, i) {
				break rows
			}
			i += fd.before.length
			switch fd.kind {
			case kindString:
				i = fd.scanString(p, i, row)
			case kindDouble:
				i = fd.scanDouble(p, i, row)
			case kindInt, kindTimeNumber:
				i = fd.scanInteger(p, i, row)
			case kindSkip:
				if s := &fd.shape; s.fitsNumber(load(p, i)) {
					i += s.length
				} else {
					i = f.skipField(fd, p, i)
				}
			default:
				i = f.scanRare(fd, p, i, row)
			}
			if i < 0 {
				break rows
			}
		}
		if len(p)-i <= t.last.reach || !t.last.stands(p, i) {
			break
		}
		i += t.last.length
		if p[i] == '\r' {
			i++
		}
		if p[i] != '\n' || i-start > f.limits.MessageBytes {
			break
		}
		for _, c := range t.missing {
			c.setNull(row)
		}
		f.origin.starts[row] = uint32(start)
		i++
		start = i
		row++
	}
	f.rows = row
	f.rollback(row)
	return start
}

// scanRare reads the value of a field of a kind that is not met often.
func (f *jsonFormat) scanRare(fd *field, p []byte, i, row int) int {
	if fd.kind == kindBool {
		return fd.col.scanBool(p, i, row)
	}
	return f.scanText(p, i, row, fd.kind, fd.col)
}

// skipField skips the value of a field.
func (f *jsonFormat) skipField(fd *field, p []byte, i int) int {
	switch p[i] {
	case '{', '[':
		end := skipValue(p, i, f.limits.Depth-1)
		if end < 0 || bytes.IndexByte(p[i:end], '\n') >= 0 { // spaces may hold line ends
			return -1
		}
		return end
	case '"':
		return skipString(p, i+1)
	}
	fd.shape.ofNumber(load(p, i))
	return skipValue(p, i, 0)
}
