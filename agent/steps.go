package agent

import (
	"fmt"

	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/transport/wire/columnar"
)

// stepPrefix files the state of a fragment's steps, an entry for each key:
// step/LANE/SECTION/KEY.
const stepPrefix = "step/"

// restoreRows is how many rows of state are restored at once.
const restoreRows = 4096

// steps keeps the state of an edge fragment's steps in the store.
type steps struct {
	store *checkpoint.Store
	edge  *engine.Edge
	lane  string
	key   []byte
}

func (s *steps) prefix(section uint32) string {
	return fmt.Sprintf("%s%s/%d/", stepPrefix, s.lane, section)
}

// changes appends what changed since the last commit.
func (s *steps) changes(dst []checkpoint.Entry) ([]checkpoint.Entry, error) {
	err := s.edge.Changes(false, func(section uint32, b *batch.Batch) error {
		sec, prefix := s.edge.StateSection(section), s.prefix(section)
		by := make([]int, sec.Keys)
		for i := range by {
			by[i] = i
		}
		row, one := *b, [1]uint32{}
		row.Sel = one[:]
		for k := range b.Len() {
			one[0] = uint32(k)
			if b.Sel != nil {
				one[0] = b.Sel[k]
			}
			r := int(one[0])
			s.key = batch.AppendKey(s.key[:0], b.Cols, by, r)
			e := checkpoint.Entry{Key: prefix + string(s.key)}
			if last := &b.Cols[len(b.Cols)-1]; !sec.Gone || !last.Bools[r] {
				e.Value = columnar.Append(nil, sec.Schema, &row)
			}
			dst = append(dst, e)
		}
		return nil
	})
	return dst, err
}

// restore gives the fragment back what is stored.
func (s *steps) restore() error {
	for section := uint32(0); ; section++ {
		sec := s.edge.StateSection(section)
		if sec.Schema == nil {
			return nil
		}
		b := batch.New(sec.Schema)
		give := func() error {
			defer b.Reset()
			return s.edge.RestoreState(section, b)
		}
		one := batch.New(sec.Schema)
		err := s.store.Range(s.prefix(section), func(key string, value []byte) error {
			one.Reset()
			if _, err := columnar.Decode(value, sec.Schema, one, columnar.Limits{}); err != nil {
				return fmt.Errorf("the state of a step in the store (%q): %w", key, err)
			}
			if b.AppendRows(one); b.N >= restoreRows {
				return give()
			}
			return nil
		})
		if err == nil && b.N > 0 {
			err = give()
		}
		if err != nil {
			return err
		}
	}
}

// dropSteps removes the state of a lane's steps.
func dropSteps(store *checkpoint.Store, lane string) error {
	b := &checkpoint.Batch{}
	err := store.Range(stepPrefix+lane+"/", func(key string, _ []byte) error {
		b.Puts = append(b.Puts, checkpoint.Entry{Key: key})
		return nil
	})
	if err != nil || len(b.Puts) == 0 {
		return err
	}
	return store.Commit(b)
}
