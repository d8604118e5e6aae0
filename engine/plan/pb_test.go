package plan

import (
	"testing"

	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/internal/pb/pbtest"
)

// TestProtobuf holds the generated messages against google's runtime.
func TestProtobuf(t *testing.T) {
	empty := map[string]func() pb.Message{
		"Plan":          func() pb.Message { return new(Plan) },
		"Column":        func() pb.Message { return new(Column) },
		"Source":        func() pb.Message { return new(Source) },
		"SourceColumn":  func() pb.Message { return new(SourceColumn) },
		"MqttSource":    func() pb.Message { return new(MqttSource) },
		"FileSource":    func() pb.Message { return new(FileSource) },
		"SimSource":     func() pb.Message { return new(SimSource) },
		"Module":        func() pb.Message { return new(Module) },
		"Fragment":      func() pb.Message { return new(Fragment) },
		"Node":          func() pb.Message { return new(Node) },
		"Where":         func() pb.Message { return new(Where) },
		"Project":       func() pb.Message { return new(Project) },
		"PortOut":       func() pb.Message { return new(PortOut) },
		"PortIn":        func() pb.Message { return new(PortIn) },
		"Port":          func() pb.Message { return new(Port) },
		"Window":        func() pb.Message { return new(Window) },
		"WindowSpec":    func() pb.Message { return new(WindowSpec) },
		"Accumulator":   func() pb.Message { return new(Accumulator) },
		"Result":        func() pb.Message { return new(Result) },
		"Sink":          func() pb.Message { return new(Sink) },
		"TableSink":     func() pb.Message { return new(TableSink) },
		"StdoutSink":    func() pb.Message { return new(StdoutSink) },
		"FileSink":      func() pb.Message { return new(FileSink) },
		"Expr":          func() pb.Message { return new(Expr) },
		"Value":         func() pb.Message { return new(Value) },
		"Param":         func() pb.Message { return new(Param) },
		"ParamSet":      func() pb.Message { return new(ParamSet) },
		"Zone":          func() pb.Message { return new(Zone) },
		"ZoneChange":    func() pb.Message { return new(ZoneChange) },
		"Lookup":        func() pb.Message { return new(Lookup) },
		"Late":          func() pb.Message { return new(Late) },
		"WindowRows":    func() pb.Message { return new(WindowRows) },
		"Alert":         func() pb.Message { return new(Alert) },
		"Changed":       func() pb.Message { return new(Changed) },
		"ChangedColumn": func() pb.Message { return new(ChangedColumn) },
		"Sample":        func() pb.Message { return new(Sample) },
		"Dedupe":        func() pb.Message { return new(Dedupe) },
		"LookupJoin":    func() pb.Message { return new(LookupJoin) },
		"Keyed":         func() pb.Message { return new(Keyed) },
		"MqttSink":      func() pb.Message { return new(MqttSink) },
		"Call":          func() pb.Message { return new(Call) },
	}
	pbtest.Load(t, "testdata/plan.binpb").Conform(t, empty)
}
