package decode

import (
	"encoding/base64"
	"encoding/binary"
	"math"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Bounds of what the scanner remembers of keys that no column wants. Keys beyond
// them are looked up each time.
const (
	maxStrangers  = 256
	maxKeyBytes   = 128
	maxKeysPerRow = 256
)

// kind is what to do with a member's value.
type kind uint8

const (
	kindSkip kind = iota
	kindBool
	kindInt
	kindDouble
	kindString
	kindBytes
	kindTimeText
	kindTimeNumber
)

// member is a key that was met, or that a column waits for.
type member struct {
	kind  kind
	col   *column // nil for kindSkip
	token string  // `"key":`, as it stands in compact JSON; empty when it cannot be predicted

	// For a comparison by words of a token of up to 16 bytes.
	reach int    // bytes that have to be there for it; for other tokens more than there ever are
	head  uint64 // first eight bytes, or fewer and zeros
	mask  uint64 // which of the eight count
	tail  uint64 // last eight bytes of more than eight, else 0
}

func newMember(key string, k kind, col *column) *member {
	m := &member{kind: k, col: col, token: token(key), reach: math.MaxInt}
	if n := len(m.token); n > 0 && n <= 16 {
		var padded [8]byte
		copy(padded[:], m.token)
		m.reach, m.head = max(n, 8), binary.LittleEndian.Uint64(padded[:])
		m.mask = math.MaxUint64 >> (64 - 8*min(n, 8))
		if n > 8 {
			m.tail = binary.LittleEndian.Uint64([]byte(m.token[n-8:]))
		}
	}
	return m
}

// stands tells whether the token stands at p[i].
func (m *member) stands(p []byte, i int) bool {
	return len(p)-i > len(m.token) && string(p[i:i+len(m.token)]) == m.token
}

// jsonFormat is what the scanner keeps from row to row.
type jsonFormat struct {
	*Decoder
	byKey     map[string]*member
	strangers int
	order     []*member // the keys of the rows before, by position
	templates []template
	current   int  // the template of the row before
	missed    bool // the next record is a line that no template covers
	misses    int
	oldest    int
}

func newJSON(d *Decoder) *jsonFormat {
	f := &jsonFormat{Decoder: d, byKey: make(map[string]*member)}
	for i := range d.cols {
		if c := &d.cols[i]; c.hidden == plan.Hidden_HIDDEN_NONE {
			f.byKey[c.name] = newMember(c.name, kindOf(c), c)
		}
	}
	return f
}

// token is how a key stands in compact JSON, or empty for a key that needs escapes.
func token(key string) string {
	quoted := `"` + key + `"`
	if plainString([]byte(quoted), 1) != len(quoted)-1 {
		return ""
	}
	return quoted + ":"
}

func kindOf(c *column) kind {
	switch c.typ {
	case batch.Bool:
		return kindBool
	case batch.Int:
		return kindInt
	case batch.Double:
		return kindDouble
	case batch.String:
		return kindString
	case batch.Bytes:
		return kindBytes
	}
	if c.unit == plan.TimeUnit_TIME_UNIT_RFC3339 {
		return kindTimeText
	}
	return kindTimeNumber
}

// stranger gives the member of a key that no column wants.
func (f *jsonFormat) stranger(key []byte) *member {
	if f.strangers >= maxStrangers || len(key) > maxKeyBytes {
		return &member{}
	}
	f.strangers++
	m := newMember(string(key), kindSkip, nil)
	f.byKey[string(key)] = m
	return m
}

// learn notes that m stood at position k of a row.
func (f *jsonFormat) learn(k int, m *member) {
	switch {
	case m.token == "" || k >= maxKeysPerRow:
	case k < len(f.order):
		f.order[k] = m
	case k == len(f.order):
		f.order = append(f.order, m)
	}
}

// record implements format: the scanner first, the library for what it leaves.
func (f *jsonFormat) record(p []byte) error {
	before := f.rows
	if len(p) > 0 && p[0] == '{' { // mostly one object and nothing around it
		if f.scanObject(p, 0, f.limits.Depth-1) == len(p) {
			f.learnFrom(p)
			return nil
		}
		f.rollback(before)
	}
	if f.scanMessage(p) {
		return nil
	}
	f.rollback(before)
	return f.decodeLibrary(p)
}

// scanMessage decodes a message that is covered from its first to its last
// byte. When it is not, rows may be left to roll back.
func (f *jsonFormat) scanMessage(p []byte) bool {
	i := skipSpace(p, 0)
	if i == len(p) {
		return false
	}
	switch p[i] {
	case '{':
		i = f.scanObject(p, i, f.limits.Depth-1)
	case '[':
		i = f.scanArray(p, i)
	default:
		return false
	}
	return i >= 0 && skipSpace(p, i) == len(p)
}

// scanArray decodes the array of objects that begins at p[i] and gives the
// index after it, or -1.
func (f *jsonFormat) scanArray(p []byte, i int) int {
	depth, most := f.limits.Depth-2, f.rows+f.limits.Rows
	if depth < 0 {
		return -1
	}
	i = skipSpace(p, i+1)
	if i < len(p) && p[i] == ']' {
		return i + 1
	}
	for i < len(p) && p[i] == '{' && f.rows < most {
		if i = f.scanObject(p, i, depth); i < 0 {
			return -1
		}
		i = skipSpace(p, i)
		if i == len(p) {
			return -1
		}
		switch p[i] {
		case ']':
			return i + 1
		case ',':
			i = skipSpace(p, i+1)
		default:
			return -1
		}
	}
	return -1
}

// scanObject decodes the object that begins at p[i] into a row and gives the
// index after it, or -1. depth is how deep values may nest below it.
func (f *jsonFormat) scanObject(p []byte, i, depth int) int {
	f.startRow()
	if j := skipSpace(p, i+1); j < len(p) && p[j] == '}' {
		f.endRow(0)
		return j + 1
	}
	order := f.order
	seen := 0
	for k := 0; ; k++ {
		i++ // over the brace, or the comma
		if i < len(p) && p[i] <= ' ' {
			i = skipSpace(p, i)
		}
		var m *member
		if k < len(order) {
			m = order[k]
		}
		if m != nil && len(p)-i >= m.reach && binary.LittleEndian.Uint64(p[i:])&m.mask == m.head &&
			(m.tail == 0 || binary.LittleEndian.Uint64(p[i+len(m.token)-8:]) == m.tail) || m != nil && m.stands(p, i) {
			i += len(m.token)
		} else if m, i = f.scanKey(p, i, k); i < 0 {
			return -1
		}
		if i < len(p) && p[i] <= ' ' {
			i = skipSpace(p, i)
		}
		if m.kind == kindSkip {
			i = skipValue(p, i, depth)
		} else {
			if m.col.seen == f.serial {
				return -1 // a key twice
			}
			m.col.seen = f.serial
			seen++
			i = f.scanValue(p, i, m)
		}
		if i < 0 {
			return -1
		}
		if i < len(p) && p[i] == ',' {
			continue
		}
		if i = skipSpace(p, i); i == len(p) {
			return -1
		}
		if p[i] == '}' {
			f.endRow(seen)
			return i + 1
		}
		if p[i] != ',' {
			return -1
		}
	}
}

// scanKey reads the key and colon at p[i] the general way and notes the key
// for position k.
func (f *jsonFormat) scanKey(p []byte, i, k int) (*member, int) {
	if i == len(p) || p[i] != '"' {
		return nil, -1
	}
	start := i + 1
	end := plainString(p, start)
	if end < 0 {
		return nil, -1
	}
	i = skipSpace(p, end+1)
	if i == len(p) || p[i] != ':' {
		return nil, -1
	}
	m := f.byKey[string(p[start:end])]
	if m == nil {
		m = f.stranger(p[start:end])
	}
	f.learn(k, m)
	return m, i + 1
}

// scanValue reads the value at p[i] into the column of m and gives the index after it, or -1.
func (f *jsonFormat) scanValue(p []byte, i int, m *member) int {
	if i == len(p) {
		return -1
	}
	c, row := m.col, f.rows
	switch m.kind {
	case kindDouble:
		return c.scanDouble(p, i, row)
	case kindTimeNumber:
		return c.scanIntegerOrNull(p, i, row, false)
	case kindInt:
		return c.scanIntegerOrNull(p, i, row, true)
	case kindBool:
		return c.scanBool(p, i, row)
	}
	if p[i] != '"' {
		return c.scanNull(p, i, row)
	}
	if i = f.scanText(p, i+1, row, m.kind, c); i < 0 {
		return -1
	}
	return i + 1
}

// scanText reads the string whose first byte is p[i] into a row, and gives the index of the quote that ends it.
func (f *jsonFormat) scanText(p []byte, i, row int, k kind, c *column) int {
	end := plainString(p, i)
	if end < 0 {
		return -1
	}
	text := p[i:end]
	switch k {
	case kindString:
		c.codes[row] = c.intern(text)
	case kindTimeText:
		v, ok := parseRFC3339(text)
		if !ok {
			return -1
		}
		c.ints[row] = v
	case kindBytes:
		if !c.setBase64(row, text) {
			return -1
		}
	}
	return end
}

// setBase64 decodes text into row.
func (c *column) setBase64(row int, text []byte) bool {
	c.offsets = c.offsets[:row+1]
	data, err := base64.StdEncoding.AppendDecode(c.data[:c.offsets[row]], text)
	if err != nil {
		return false
	}
	c.data = data
	c.offsets = append(c.offsets, uint32(len(data)))
	return true
}
