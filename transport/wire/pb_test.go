package wire

import (
	"testing"

	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/internal/pb/pbtest"
)

// TestProtobuf holds the generated messages against google's runtime.
func TestProtobuf(t *testing.T) {
	empty := map[string]func() pb.Message{
		"StreamStart":    func() pb.Message { return new(StreamStart) },
		"Hello":          func() pb.Message { return new(Hello) },
		"PlanRef":        func() pb.Message { return new(PlanRef) },
		"ToAgent":        func() pb.Message { return new(ToAgent) },
		"ToCloud":        func() pb.Message { return new(ToCloud) },
		"Welcome":        func() pb.Message { return new(Welcome) },
		"Plans":          func() pb.Message { return new(Plans) },
		"Status":         func() pb.Message { return new(Status) },
		"PipelineStatus": func() pb.Message { return new(PipelineStatus) },
		"Reject":         func() pb.Message { return new(Reject) },
		"StreamOpen":     func() pb.Message { return new(StreamOpen) },
		"StreamReply":    func() pb.Message { return new(StreamReply) },
		"Accepted":       func() pb.Message { return new(Accepted) },
		"StreamDown":     func() pb.Message { return new(StreamDown) },
		"Ack":            func() pb.Message { return new(Ack) },
		"Refusal":        func() pb.Message { return new(Refusal) },
		"FetchRequest":   func() pb.Message { return new(FetchRequest) },
		"FetchReply":     func() pb.Message { return new(FetchReply) },
		"JoinRequest":    func() pb.Message { return new(JoinRequest) },
		"JoinReply":      func() pb.Message { return new(JoinReply) },
		"Joined":         func() pb.Message { return new(Joined) },
		"RenewRequest":   func() pb.Message { return new(RenewRequest) },
	}
	pbtest.Load(t, "testdata/control.binpb").Conform(t, empty)
}
