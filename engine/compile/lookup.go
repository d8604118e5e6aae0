package compile

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
)

// Lookups finds reference tables.
type Lookups interface {
	// Reference finds the content of a reference table: of a file (.csv or .json), relative to
	// the pipeline file, or of a result table of the cloud node.
	Reference(ref LookupRef) (*LookupInfo, error)
}

// LookupRef names a reference table and says what the pipeline takes it for.
type LookupRef struct {
	File   string // or
	Table  string
	Schema []plan.SourceColumn // names, types and units of timestamps
	Keys   []string            // columns whose values tell the table's rows apart
}

// LookupInfo is what the compiler needs to know of a reference table.
type LookupInfo struct {
	SHA256 [32]byte
	Size   uint64 // bytes of its encoded content
}

// lookupColumn is a column that a lookup adds.
type lookupColumn struct {
	name, from string
	typ        batch.Type
}

func (b *builder) lookup(e entry, cloud bool) {
	v, r := e.value, b.cur
	schema := b.lookupSchema(v.get("schema"))
	keys, on, ok := b.lookupOn(v.get("on"), schema)
	add, good := b.lookupAdd(v.get("add"), schema)
	choice, known := v.chosen([]string{"file", "table"})
	if !ok || !good || !known || choice.value == nil || schema == nil {
		for _, a := range add {
			r.broken[a.name] = true
		}
		r.lost = r.lost || v.get("add") == nil
		return
	}
	ref := LookupRef{Schema: schema, Keys: on}
	if choice.key.Value == "file" {
		ref.File = choice.value.text
	} else {
		ref.Table = choice.value.text
	}
	table, found := b.lookupTable(choice, ref, v.get("refresh").microsOr(0))
	if !found {
		for _, a := range add {
			r.broken[a.name] = true
		}
		return
	}
	drop := v.get("missing").textOr("keep") == "drop"
	n := r.step(&lnode{cloud: cloud})
	n.keyed = &keyedStep{name: "lookup", node: e.key, uses: keys, remove: !drop}
	n.keyed.op = func(position func(int) int, live []bool) *plan.Node {
		j := &plan.LookupJoin{Lookup: uint32(table), Keys: positions(keys, position), On: on, DropMissing: drop}
		for i, a := range add {
			if live[n.base+i] {
				j.Columns = append(j.Columns, a.from)
			}
		}
		return &plan.Node{Op: &plan.Node_Lookup{Lookup: j}}
	}
	for _, a := range add {
		r.show(a.name, r.makes(a.name, a.typ))
	}
}

// lookupTable is the position of a reference table among the plan's.
func (b *builder) lookupTable(choice entry, ref LookupRef, refresh int64) (int, bool) {
	if b.c.o.Lookups == nil {
		b.c.at(choice.value.node, "there is nothing here to find the reference table in", "")
		return 0, false
	}
	info, err := b.c.o.Lookups.Reference(ref)
	if err != nil {
		b.c.at(choice.value.node, fmt.Sprintf("reference table %q: %v", choice.value.text, err), "")
		return 0, false
	}
	l := &plan.Lookup{Name: choice.value.text, Sha256: slices.Clone(info.SHA256[:]), SizeBytes: info.Size, RefreshMicros: refresh, Table: ref.Table}
	at := slices.IndexFunc(b.plan.Lookups, func(have *plan.Lookup) bool { return pb.Equal(have, l) })
	if at < 0 {
		at = len(b.plan.Lookups)
		b.plan.Lookups = append(b.plan.Lookups, l)
	}
	return at, true
}

func (b *builder) lookupSchema(v *value) []plan.SourceColumn {
	if v == nil {
		return nil
	}
	var out []plan.SourceColumn
	if len(v.entries) == 0 && len(v.node.Content) == 0 || len(v.entries) > maxColumns {
		b.c.at(v.node, fmt.Sprintf("the table has %d columns", len(v.entries)), fmt.Sprintf("between 1 and %d", maxColumns))
		return nil
	}
	for _, e := range v.entries {
		if e.value == nil {
			return nil
		}
		t, unit := columnType(e.value.text)
		out = append(out, plan.SourceColumn{Name: e.key.Value, Type: uint32(t), Unit: unit})
	}
	return out
}

func lookupType(schema []plan.SourceColumn, name string) (batch.Type, bool) {
	for i := range schema {
		if schema[i].Name == name {
			return batch.Type(schema[i].Type), true
		}
	}
	return 0, false
}

func lookupNames(schema []plan.SourceColumn) []string {
	var out []string
	for i := range schema {
		out = append(out, schema[i].Name)
	}
	return out
}

// lookupOn reads which columns of the rows equal which of the table.
func (b *builder) lookupOn(v *value, schema []plan.SourceColumn) (keys []int, on []string, ok bool) {
	if v == nil {
		return nil, nil, false
	}
	r := b.cur
	if len(v.node.Content) == 0 {
		b.c.at(v.node, "nothing says which rows match", "columns of the rows and of the table, as in {device: id}")
		return nil, nil, false
	}
	ok = !r.lost && len(v.entries)*2 == len(v.node.Content)
	if r.lost {
		return nil, nil, false
	}
	bs := r.bindings()
	for _, e := range v.entries {
		at := find(bs, e.key.Value)
		if at < 0 {
			if !r.broken[e.key.Value] {
				b.noColumn(&value{node: e.key, text: e.key.Value})
			}
			ok = false
		}
		if e.value == nil || schema == nil {
			ok = false
			continue
		}
		t, known := lookupType(schema, e.value.text)
		switch {
		case !known:
			b.c.at(e.value.node, fmt.Sprintf("the table has no column %q", shorten(e.value.text)), oneOf(lookupNames(schema)))
			ok = false
		case slices.Contains(on, e.value.text):
			b.c.at(e.value.node, fmt.Sprintf("the column %q of the table stands here a second time", e.value.text), "only one")
			ok = false
		case at >= 0 && r.columns[bs[at].col].typ != t:
			b.c.at(e.value.node, fmt.Sprintf("the column %q of the table is of the type %s", e.value.text, t), fmt.Sprintf("the type of %q, %s", e.key.Value, r.columns[bs[at].col].typ))
			ok = false
		case t == batch.Double || t == batch.Bytes:
			b.c.at(e.value.node, fmt.Sprintf("rows cannot be matched by a column of the type %s", t), "a column of the type string, int, bool or timestamp")
			ok = false
		case at >= 0:
			keys, on = append(keys, bs[at].col), append(on, e.value.text)
		}
	}
	return keys, on, ok
}

// lookupAdd reads the columns to add.
func (b *builder) lookupAdd(v *value, schema []plan.SourceColumn) (add []lookupColumn, ok bool) {
	if v == nil {
		return nil, false
	}
	r := b.cur
	ok = true
	one := func(name entry, from *value) {
		a := lookupColumn{name: name.key.Value}
		defer func() { add = append(add, a) }()
		if wrong := columnName(a.name); wrong != "" {
			b.c.at(name.key, wrong, "another name")
			ok = false
		}
		if find(r.visible, a.name) >= 0 || r.broken[a.name] || slices.ContainsFunc(add, func(have lookupColumn) bool { return have.name == a.name }) {
			b.c.at(name.key, fmt.Sprintf("there is a column %q already", a.name), "another name, as in {new_name: "+a.name+"}")
			ok = false
		}
		if from == nil || schema == nil {
			ok = false
			return
		}
		a.from = from.text
		var known bool
		if a.typ, known = lookupType(schema, a.from); !known {
			what := fmt.Sprintf("the table has no column %q", shorten(a.from))
			if near := nearest(a.from, lookupNames(schema)); near != "" {
				what += fmt.Sprintf(" (did you mean %q?)", near)
			}
			b.c.at(from.node, what, oneOf(lookupNames(schema)))
			ok = false
		}
	}
	for _, item := range v.list {
		one(entry{key: item.node}, item)
	}
	for _, e := range v.entries {
		one(e, e.value)
	}
	if len(v.node.Content) == 0 {
		b.c.at(v.node, "nothing is added", "at least one column of the table")
		ok = false
	}
	if len(r.visible)+len(add) > maxColumns || len(r.columns)+len(add) > maxMade {
		b.full(v.node, maxColumns)
		ok = false
	}
	return add, ok
}
