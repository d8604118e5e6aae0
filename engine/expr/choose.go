package expr

import "github.com/leatio/leat/engine/batch"

// chooser gathers a column from several: pick names, per row, the source that
// gives the value, plus one; 0 means null.
type chooser struct {
	out   result
	pick  []uint32
	from  []*batch.Column
	trans []translator // of strings, by source
}

// begin forgets the picks of the last batch.
func (h *chooser) begin(n, sources int) {
	h.pick = resize(h.pick, n)
	clear(h.pick)
	h.from = resize(h.from, sources)
	clear(h.from)
	if h.trans == nil {
		h.trans = make([]translator, sources)
	}
}

// gather makes the column. Rows that were not picked are null, so those
// outside the selection are, too.
func (h *chooser) gather(r *run, t batch.Type) *batch.Column {
	o := &h.out
	o.reset(t, r.n)
	o.fill(r.n, true)
	nulls := false
	for i, p := range h.pick {
		if p == 0 || h.from[p-1].Null(i) {
			o.valid.Clear(i)
			h.pick[i] = 0
			nulls = true
		}
	}
	if !nulls {
		o.col.Valid = nil
	}
	switch t {
	case batch.Bool:
		for i, p := range h.pick {
			if p != 0 {
				o.col.Bools[i] = h.from[p-1].Bools[i]
			}
		}
	case batch.Double:
		for i, p := range h.pick {
			if p != 0 {
				o.col.Doubles[i] = h.from[p-1].Doubles[i]
			}
		}
	case batch.String:
		h.gatherStrings(r)
	case batch.Bytes:
		h.gatherBytes(r)
	default:
		for i, p := range h.pick {
			if p != 0 {
				o.col.Ints[i] = h.from[p-1].Ints[i]
			}
		}
	}
	return &o.col
}

// gatherStrings keeps the codes where all values come from one dictionary, and
// translates them to the program's where not.
func (h *chooser) gatherStrings(r *run) {
	c := &h.out.col
	c.Dict = nil
	same := true
	for i, p := range h.pick {
		if p == 0 {
			continue
		}
		src := h.from[p-1]
		if c.Dict == nil {
			c.Dict = src.Dict
		}
		same = same && c.Dict == src.Dict
		c.Codes[i] = src.Codes[i]
	}
	if c.Dict == nil {
		c.Dict = r.dict
	}
	if same {
		return
	}
	c.Dict = r.dict
	for i, p := range h.pick {
		if p == 0 {
			continue
		}
		code, ok := h.trans[p-1].code(r.dict, h.from[p-1], i)
		if !ok {
			r.failRow(&h.out, i, reasonStringsFull)
			continue
		}
		c.Codes[i] = code
	}
}

func (h *chooser) gatherBytes(r *run) {
	for i, p := range h.pick {
		var v []byte
		if p != 0 {
			v = h.from[p-1].Blob(i)
		}
		r.appendBlob(&h.out, i, v)
	}
}

// translator remembers the codes that strings of one dictionary have in
// another.
type translator struct {
	src, dst *batch.Dict
	codes    []uint32 // code+1 by code of src; 0 = not known yet
}

// code gives the code in dst of row i of c; not ok when dst is full.
func (t *translator) code(dst *batch.Dict, c *batch.Column, i int) (uint32, bool) {
	if t.src != c.Dict || t.dst != dst {
		t.src, t.dst = c.Dict, dst
		clear(t.codes)
	}
	at := c.Codes[i]
	if c.Dict == dst {
		return at, true
	}
	if int(at) < len(t.codes) && t.codes[at] != 0 {
		return t.codes[at] - 1, true
	}
	if dst.Full() {
		return 0, false
	}
	code := dst.CodeString(c.Dict.Value(at))
	if int(at) < maxMemo {
		if int(at) >= len(t.codes) {
			t.codes = growTo(t.codes, min(maxMemo, c.Dict.Len()))
		}
		t.codes[at] = code + 1
	}
	return code, true
}

// growTo makes s n long; new values are zero.
func growTo[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	if n <= cap(s) {
		old := len(s)
		s = s[:n]
		clear(s[old:])
		return s
	}
	grown := make([]T, n, max(n, 2*cap(s)))
	copy(grown, s)
	return grown
}

// choice is CASE: conditions are evaluated for the rows that none before has
// taken, values for the rows that their condition takes.
type choice struct {
	chooser
	typ         batch.Type
	conds, vals []node // one more value: ELSE
	open, taken []uint32
}

func (x *choice) eval(r *run, rows []uint32) *batch.Column {
	x.begin(r.n, len(x.vals))
	open := append(x.open[:0], r.all(rows)...)
	x.open = open
	for k, cond := range x.conds {
		if len(open) == 0 {
			break
		}
		c := cond.eval(r, open)
		taken, rest := resize(x.taken, len(open)), open[:0]
		x.taken = taken
		taken = taken[:0]
		for _, i := range open {
			if c.Bools[i] && !c.Null(int(i)) {
				taken = append(taken, i)
			} else {
				rest = append(rest, i)
			}
		}
		open = rest
		x.take(r, k, taken)
	}
	if len(x.vals) > len(x.conds) {
		x.take(r, len(x.conds), open)
	}
	return x.gather(r, x.typ)
}

// take lets value k give the rows.
func (x *choice) take(r *run, k int, rows []uint32) {
	if len(rows) == 0 {
		return
	}
	x.from[k] = x.vals[k].eval(r, rows)
	for _, i := range rows {
		x.pick[i] = uint32(k) + 1
	}
}

// coalesce is the first argument that is not null; later ones are evaluated
// only for the rows still open.
type coalesce struct {
	chooser
	typ  batch.Type
	args []node
	open []uint32
}

func (x *coalesce) eval(r *run, rows []uint32) *batch.Column {
	x.begin(r.n, len(x.args))
	open := append(x.open[:0], r.all(rows)...)
	x.open = open
	for k, arg := range x.args {
		if len(open) == 0 {
			break
		}
		c := arg.eval(r, open)
		x.from[k] = c
		rest := open[:0]
		for _, i := range open {
			if c.Null(int(i)) {
				rest = append(rest, i)
			} else {
				x.pick[i] = uint32(k) + 1
			}
		}
		open = rest
	}
	return x.gather(r, x.typ)
}

// nullif is its first argument, or null where both are equal.
type nullif struct {
	chooser
	typ  batch.Type
	a, b node
}

func (x *nullif) eval(r *run, rows []uint32) *batch.Column {
	a, b := x.a.eval(r, rows), x.b.eval(r, rows)
	x.begin(r.n, 1)
	x.from[0] = a
	for _, i := range r.all(rows) {
		if b.Null(int(i)) || a.Null(int(i)) || compareRow(a, b, int(i)) != 0 {
			x.pick[i] = 1
		}
	}
	return x.gather(r, x.typ)
}

// extreme is greatest (sign 1) or least (sign -1); nulls do not take part.
type extreme struct {
	chooser
	typ  batch.Type
	sign int
	args []node
}

func (x *extreme) eval(r *run, rows []uint32) *batch.Column {
	x.begin(r.n, len(x.args))
	for k, arg := range x.args {
		c := arg.eval(r, rows)
		x.from[k] = c
		for _, i := range r.all(rows) {
			if c.Null(int(i)) {
				continue
			}
			p := x.pick[i]
			if p == 0 || x.sign*compareRow(c, x.from[p-1], int(i)) > 0 {
				x.pick[i] = uint32(k) + 1
			}
		}
	}
	return x.gather(r, x.typ)
}
