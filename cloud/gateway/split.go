package gateway

import (
	"fmt"

	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire/columnar"
)

// maxPartBytes bounds the payload of an entry, which has to fit a record of the
// log; a frame's is at most wire.DefaultMaxPayload by default.
const maxPartBytes = 6 << 20

// splitter cuts the payloads of a pipeline's frames by key group.
type splitter struct {
	plan    *plan.Plan
	spread  int
	keys    [][]int // key columns by port
	key     []byte
	rowSets [][]uint32 // by partition
}

func newSplitter(p *plan.Plan, spread int) *splitter {
	s := &splitter{plan: p, spread: spread, rowSets: make([][]uint32, spread)}
	for _, port := range p.Ports {
		var by []int
		for _, k := range port.Keys {
			by = append(by, int(k))
		}
		s.keys = append(s.keys, by)
	}
	return s
}

// split gives the payload for each partition; empty where it has no rows.
// Rows without a key go where the agent's id falls, partials without one all to the same place, rejects to the first partition.
func (s *splitter) split(agent string, payload []byte) ([][]byte, error) {
	out := make([][]byte, s.spread)
	if len(payload) == 0 {
		return out, nil
	}
	sections, err := columnar.DecodePayload(payload, s.schema, columnar.Limits{})
	if err != nil {
		return nil, err
	}
	if s.spread == 1 {
		out[0] = payload
		return out, nil
	}
	parts := make([][]columnar.Section, s.spread)
	for _, sec := range sections {
		s.rows(agent, sec)
		for p, rows := range s.rowSets {
			if len(rows) == 0 {
				continue
			}
			b := *sec.Batch
			b.Sel = rows
			parts[p] = append(parts[p], columnar.Section{Port: sec.Port, Batch: &b})
			s.rowSets[p] = nil // the section keeps it
		}
	}
	for p := range parts {
		if len(parts[p]) == 0 {
			continue
		}
		out[p] = columnar.AppendPayload(nil, parts[p], s.schema)
		if len(out[p]) > maxPartBytes { // the log would refuse it for ever
			return nil, fmt.Errorf("its rows for one partition take %d bytes, at most %d are possible", len(out[p]), maxPartBytes)
		}
	}
	return out, nil
}

func (s *splitter) schema(port uint32) batch.Schema { return engine.PortSchema(s.plan, port) }

// rows fills rowSets with the rows of a section by partition.
func (s *splitter) rows(agent string, sec columnar.Section) {
	all := func(p int) {
		for i := range sec.Batch.N {
			s.rowSets[p] = append(s.rowSets[p], uint32(i))
		}
	}
	if sec.Port == engine.RejectsPort {
		all(0)
		return
	}
	by := s.keys[sec.Port]
	if len(by) == 0 && s.plan.Ports[sec.Port].Kind == plan.Port_ROWS {
		all(batch.Partition(batch.KeyGroup([]byte(agent)), s.spread))
		return
	}
	for i := range sec.Batch.N {
		s.key = batch.AppendKey(s.key[:0], sec.Batch.Cols, by, i)
		p := batch.Partition(batch.KeyGroup(s.key), s.spread)
		s.rowSets[p] = append(s.rowSets[p], uint32(i))
	}
}
