package gateway

import "github.com/leatio/leat/engine/plan"

// Split cuts a frame's payload as the gateway does.
func Split(p *plan.Plan, spread int, agent string, payload []byte) ([][]byte, error) {
	return newSplitter(p, spread).split(agent, payload)
}
