package cloud

import (
	"reflect"
	"testing"

	"github.com/leatio/leat/cloud/api"
	"github.com/leatio/leat/cloud/control"
)

// Between an apply and the agent's next status the pipeline is not missing from the list.
func TestPipelinesThatAnAgentHasNotToldOf(t *testing.T) {
	a := api.Agent{Labels: map[string]string{"role": "a"}, Pipelines: []api.AgentPipeline{{Name: "told", Version: 1, State: "running"}}}
	addPending(&a, []*control.Pipeline{
		{Name: "everywhere", Version: 3}, {Name: "here", Version: 1, Agents: "role=a"}, {Name: "elsewhere", Agents: "role=b"}, {Name: "told", Version: 2},
	})
	want := []api.AgentPipeline{
		{Name: "told", Version: 1, State: "running"}, {Name: "everywhere", Version: 3, State: "pending"}, {Name: "here", Version: 1, State: "pending"},
	}
	if !reflect.DeepEqual(a.Pipelines, want) {
		t.Errorf("got %+v", a.Pipelines)
	}
}
