package window

import "github.com/leatio/leat/engine/batch"

// codeCache remembers a number for each code (or group) of one Dict.
type codeCache struct {
	dict *batch.Dict
	code []uint32 // number+1; 0 = not known yet
}

// renew forgets all and goes on with another Dict.
func (c *codeCache) renew(d *batch.Dict) {
	clear(c.code[:cap(c.code)])
	c.dict, c.code = d, c.code[:0]
}

func (c *codeCache) set(code, number uint32) {
	c.widen(int(code) + 1)
	c.code[code] = number + 1
}

// widen makes room for codes below n.
func (c *codeCache) widen(n int) {
	if n <= len(c.code) {
		return
	}
	if n > cap(c.code) {
		bigger := make([]uint32, len(c.code), max(256, n+n/2))
		copy(bigger, c.code)
		c.code = bigger
	}
	c.code = c.code[:n]
}

// copier copies rows from one column to another of the same type. It knows
// the codes of strings that it copied before.
type copier struct {
	to    *batch.Dict
	codes codeCache
}

// copyCounting appends the counting rows of column k of b.
func (c *copier) copyCounting(dst *batch.Column, b *batch.Batch, k int) {
	src := &b.Cols[k]
	if b.Sel != nil || src.Valid != nil || dst.Valid != nil {
		c.copySome(dst, src, b)
		return
	}
	switch src.Type {
	case batch.Bool:
		dst.Bools = append(dst.Bools, src.Bools[:b.N]...)
	case batch.Double:
		dst.Doubles = append(dst.Doubles, src.Doubles[:b.N]...)
	case batch.String:
		c.translate(dst, src)
		for _, code := range src.Codes[:b.N] {
			dst.Codes = append(dst.Codes, c.codeOf(dst, src, code))
		}
	case batch.Bytes:
		c.copySome(dst, src, b)
	default:
		dst.Ints = append(dst.Ints, src.Ints[:b.N]...)
	}
}

func (c *copier) copySome(dst, src *batch.Column, b *batch.Batch) {
	c.translate(dst, src)
	for k := range b.Len() {
		c.one(dst, src, rowOf(b, k))
	}
}

// copy appends rows of src.
func (c *copier) copy(dst, src *batch.Column, rows []uint32) {
	c.translate(dst, src)
	if src.Valid != nil || dst.Valid != nil || src.Type == batch.Bytes || src.Type == batch.Bool {
		for _, r := range rows {
			c.one(dst, src, int(r))
		}
		return
	}
	switch src.Type {
	case batch.Double:
		for _, r := range rows {
			dst.Doubles = append(dst.Doubles, src.Doubles[r])
		}
	case batch.String:
		for _, r := range rows {
			dst.Codes = append(dst.Codes, c.codeOf(dst, src, src.Codes[r]))
		}
	default:
		for _, r := range rows {
			dst.Ints = append(dst.Ints, src.Ints[r])
		}
	}
}

// one appends row r of src.
func (c *copier) one(dst, src *batch.Column, r int) {
	if src.Type != batch.String || src.Null(r) {
		dst.AppendFrom(src, r)
		return
	}
	dst.Codes = append(dst.Codes, c.codeOf(dst, src, src.Codes[r]))
	if dst.Valid != nil {
		dst.Valid = dst.Valid.Append(len(dst.Codes)-1, true)
	}
}

// translate prepares for the Dicts of dst and src, where they hold strings.
func (c *copier) translate(dst, src *batch.Column) {
	if src.Type != batch.String {
		return
	}
	if dst.Dict == nil {
		dst.Dict = batch.NewDict()
	}
	if c.codes.dict != src.Dict || c.to != dst.Dict {
		c.codes.renew(src.Dict)
		c.to = dst.Dict
	}
	if src.Dict != nil {
		c.codes.widen(src.Dict.Len())
	}
}

func (c *copier) codeOf(dst, src *batch.Column, code uint32) uint32 {
	if known := c.codes.code[code]; known != 0 {
		return known - 1
	}
	number := dst.Dict.CodeString(src.Dict.Value(code))
	c.codes.code[code] = number + 1
	return number
}
