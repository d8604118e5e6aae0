package agent

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine/plan"
)

// labelsKey files the agent's labels as the cloud knows them, so that pipelines
// that ask for them work without any cloud.
const labelsKey = "labels"

// loadLabels reads the labels that the cloud told last; before it told any they
// are those of the configuration.
func (a *Agent) loadLabels() error {
	a.setLabels(a.cfg.Labels)
	value, err := a.store.Get(labelsKey)
	if err != nil || value == nil {
		return err
	}
	var labels map[string]string
	if err := json.Unmarshal(value, &labels); err != nil {
		return fmt.Errorf("the labels in the store cannot be read: %w", err)
	}
	a.setLabels(labels)
	return nil
}

func (a *Agent) setLabels(labels map[string]string) {
	a.mu.Lock()
	a.labels = labels
	a.mu.Unlock()
}

func (a *Agent) ownLabels() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.labels
}

// takeLabels keeps the labels that the cloud tells; changed says that they are others than before.
func (a *Agent) takeLabels(labels map[string]string) (changed bool, err error) {
	if maps.Equal(labels, a.ownLabels()) {
		return false, nil
	}
	value, err := json.Marshal(labels)
	if err != nil {
		return false, err
	}
	a.setLabels(labels)
	return true, a.store.Commit(&checkpoint.Batch{Puts: []checkpoint.Entry{{Key: labelsKey, Value: value}}})
}

// resolve gives a plan as this agent runs it: with the values of its parameters and labels.
func (a *Agent) resolve(p *plan.Plan) (*plan.Plan, error) {
	own := map[string]string{}
	for _, param := range p.Params {
		if text, ok := a.cfg.Params[param.Name]; ok {
			own[param.Name] = text
		}
	}
	return plan.Resolve(p, a.ownLabels(), own)
}
