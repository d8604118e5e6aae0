package cloud

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/leatio/leat/cloud/api"
	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/engine/plan"
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

// A sink that only leat run has stopped the partitions of a node for ever.
func TestSinksThatTheCloudDoesNotHaveAreRefused(t *testing.T) {
	p := func(s *plan.Sink) *plan.Plan {
		return &plan.Plan{Pipeline: "p", Cloud: &plan.Fragment{Nodes: []*plan.Node{{Op: &plan.Node_Sink{Sink: s}}}}}
	}
	if err := checkSinks(p(&plan.Sink{Kind: &plan.Sink_Table{Table: &plan.TableSink{}}})); err != nil {
		t.Error(err)
	}
	for kind, s := range map[string]*plan.Sink{"stdout": {Kind: &plan.Sink_Stdout{}}, "file": {Kind: &plan.Sink_File{File: &plan.FileSink{}}}} {
		if err := checkSinks(p(s)); !errors.Is(err, control.ErrRequest) || !strings.Contains(err.Error(), "the sink "+kind) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
