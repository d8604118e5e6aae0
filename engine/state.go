package engine

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

// stateful is an operator with a state that moves as batches, in one or more
// sections of a schema each.
type stateful interface {
	stateSchemas() []Section
	// changes gives what changed since the last call, or all.
	changes(full bool, emit func(section int, b *batch.Batch) error) error
	restore(section int, b *batch.Batch) error
	// resume follows the last restore with the watermarks that were stored beside it.
	resume(fire, keep int64)
}

// Section describes one section of a fragment's state. Sections have the same
// numbers wherever the same plan runs.
type Section struct {
	Schema batch.Schema
	// Keys is how many columns at the front name a row: a later row of the same
	// key replaces it.
	Keys int
	// Gone tells that the last column marks rows that delete their key.
	Gone bool
	// Node has the state; Index counts its sections.
	Node, Index int
}

func (t *tree) addSections(node int, op operator) {
	s, ok := op.(stateful)
	if !ok {
		return
	}
	for i, schema := range s.stateSchemas() {
		schema.Node, schema.Index = node, i
		t.sections = append(t.sections, schema)
	}
}

// changes gives the state that changed since the last call, or all of it.
func (t *tree) changes(full bool, emit PortEmit) error {
	for at := 0; at < len(t.sections); {
		first := at
		node := t.sections[at].Node
		err := t.ops[node].(stateful).changes(full, func(i int, b *batch.Batch) error {
			if b.Len() == 0 {
				return nil
			}
			return emit(uint32(first+i), b)
		})
		if err != nil {
			return fmt.Errorf("state of node %d: %w", node, err)
		}
		for at < len(t.sections) && t.sections[at].Node == node {
			at++
		}
	}
	return nil
}

func (t *tree) restore(i uint32, b *batch.Batch) error {
	if uint64(i) >= uint64(len(t.sections)) {
		return fmt.Errorf("the stored state names section %d of %d", i, len(t.sections))
	}
	s := &t.sections[i]
	if err := t.ops[s.Node].(stateful).restore(s.Index, b); err != nil {
		return fmt.Errorf("state of node %d: %w", s.Node, err)
	}
	return nil
}

func (t *tree) resume(fire, keep int64) {
	for _, op := range t.ops {
		if s, ok := op.(stateful); ok {
			s.resume(fire, keep)
		}
	}
}

// section gives the description of a section, without a schema where there is none.
func (t *tree) section(i uint32) Section {
	if uint64(i) >= uint64(len(t.sections)) {
		return Section{}
	}
	return t.sections[i]
}
