package agent

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine/plan"
)

// untilPrefix files, by lane, the event time at which the next version of a
// pipeline begins. A lane that has one still takes rows.
const untilPrefix = "until/"

// olderVersions are the versions of a pipeline that still take rows beside p,
// oldest first, with this agent's parameters.
func (a *Agent) olderVersions(p *plan.Plan) ([]version, error) {
	var out []version
	err := a.store.Range(untilPrefix+p.PipelineId+"/", func(key string, value []byte) error {
		lane := strings.TrimPrefix(key, untilPrefix)
		until, n := binary.Varint(value)
		if n <= 0 {
			return fmt.Errorf("lane %s: %w", lane, errState)
		}
		data, err := a.store.Get(oldPrefix + lane)
		if err != nil {
			return err
		}
		old, err := plan.Unmarshal(data)
		if err == nil {
			old, err = a.resolve(old)
		}
		if err != nil {
			return fmt.Errorf("the plan of lane %s, which still takes rows: %w", lane, err)
		}
		out = append(out, version{Plan: old, Until: until})
		return nil
	})
	slices.SortFunc(out, func(x, y version) int { return cmp.Compare(x.Plan.Version, y.Plan.Version) })
	return out, err
}

// takesRows tells whether a replaced lane still takes rows.
func (a *Agent) takesRows(lane string) (bool, error) {
	value, err := a.store.Get(untilPrefix + lane)
	return value != nil, err
}

// endVersions says in a batch that no replaced version of a pipeline takes rows any more.
func (a *Agent) endVersions(b *checkpoint.Batch, pipelineID string) error {
	return a.store.Range(untilPrefix+pipelineID+"/", func(key string, _ []byte) error {
		b.Puts = append(b.Puts, checkpoint.Entry{Key: key})
		return nil
	})
}

var errState = errors.New("the state of a pipeline in the store is damaged")
