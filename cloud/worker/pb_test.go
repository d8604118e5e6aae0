package worker

import (
	"testing"

	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/internal/pb/pbtest"
)

// TestProtobuf holds the generated messages against google's runtime.
func TestProtobuf(t *testing.T) {
	empty := map[string]func() pb.Message{
		"Checkpoint":    func() pb.Message { return new(Checkpoint) },
		"Lane":          func() pb.Message { return new(Lane) },
		"AgentEpoch":    func() pb.Message { return new(AgentEpoch) },
		"Member":        func() pb.Message { return new(Member) },
		"PipelineState": func() pb.Message { return new(PipelineState) },
		"Section":       func() pb.Message { return new(Section) },
		"Manifest":      func() pb.Message { return new(Manifest) },
		"ObjectRef":     func() pb.Message { return new(ObjectRef) },
	}
	pbtest.Load(t, "testdata/checkpoint.binpb").Conform(t, empty)
}
