package plan

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/internal/pb"
)

// examplePlan reads a golden plan, which the tests of engine/compile write.
func examplePlan(t testing.TB, name string) (*Plan, []byte) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".pb"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Unmarshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p, raw
}

// goldenPlans are those that the tests of engine/compile write.
var goldenPlans = []string{"greenhouse", "climate", "branches", "cloudsteps"}

func TestExamplesAreStable(t *testing.T) {
	for _, name := range goldenPlans {
		p, raw := examplePlan(t, name)
		again, err := Marshal(p)
		if err != nil || !slices.Equal(again, raw) {
			t.Errorf("%s: reading and writing changes the bytes: %v", name, err)
		}
	}
}

func TestUnmarshalRefusesNewerFormat(t *testing.T) {
	p, _ := examplePlan(t, "climate")
	p.Format = Format + 1
	raw, err := Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Unmarshal(raw); !errors.Is(err, ErrFormat) {
		t.Errorf("%v, want %v", err, ErrFormat)
	}
	if _, err := Unmarshal([]byte{0xff}); err == nil {
		t.Error("broken bytes are taken for a plan")
	}
	if _, err := Unmarshal(nil); !errors.Is(err, ErrPlan) {
		t.Errorf("no bytes: %v, want %v", err, ErrPlan)
	}
}

// The parts of the greenhouse plan that the cases below damage.
func where(p *Plan) *Where    { return nodeWith(p.Edge, (*Node).GetWhere).GetWhere() }
func project(p *Plan) *Node   { return nodeWith(p.Edge, (*Node).GetProject) }
func partialOf(p *Plan) *Node { return nodeWith(p.Edge, (*Node).GetPartialWindow) }
func finalOf(p *Plan) *Node   { return nodeWith(p.Cloud, (*Node).GetFinalWindow) }
func portOutOf(p *Plan) *Node { return nodeWith(p.Edge, (*Node).GetPortOut) }
func sinkOf(p *Plan) *Node    { return nodeWith(p.Cloud, (*Node).GetSink) }
func both(p *Plan, f func(*Window)) {
	f(partialOf(p).GetPartialWindow())
	f(finalOf(p).GetFinalWindow())
}

func nodeWith[T any](f *Fragment, get func(*Node) *T) *Node {
	for _, n := range f.Nodes {
		if get(n) != nil {
			return n
		}
	}
	panic("BUG: the example has no such node")
}

func deep(n int) *Expr {
	e := &Expr{Type: uint32(batch.Bool), Kind: &Expr_Literal{Literal: &Value{Kind: &Value_Bool{Bool: true}}}}
	for range n {
		e = &Expr{Type: uint32(batch.Bool), Kind: &Expr_Call{Call: &Call{Op: "not", Args: []*Expr{e}}}}
	}
	return e
}

// wide is an expression with n arguments.
func wide(n int) *Expr {
	return &Expr{Type: uint32(batch.Bool), Kind: &Expr_Call{Call: &Call{Op: "and", Args: slices.Repeat([]*Expr{deep(0)}, n)}}}
}

// crowd repeats the first node of the edge, with a large condition each.
func crowd(p *Plan, n int) {
	rest := slices.Clone(p.Edge.Nodes[1:])
	p.Edge.Nodes = p.Edge.Nodes[:1]
	where(p).Condition = wide(MaxExprNodes - 2)
	for range n {
		p.Edge.Nodes = append(p.Edge.Nodes, &Node{Schema: p.Edge.Nodes[0].Schema, Op: p.Edge.Nodes[0].Op})
	}
	p.Edge.Nodes = append(p.Edge.Nodes, rest...)
	for i, node := range p.Edge.Nodes {
		node.Id, node.Input = uint32(i), int32(i)-1
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(p *Plan)
		want   string // part of the message
	}{
		"no format":           {func(p *Plan) { p.Format = 0 }, "format 0"},
		"no name":             {func(p *Plan) { p.Pipeline = "" }, "no name"},
		"bad selector":        {func(p *Plan) { p.Agents = "a" }, "agents"},
		"negative freshness":  {func(p *Plan) { p.FreshnessMicros = -1 }, "negative"},
		"spread":              {func(p *Plan) { p.Spread = 5000 }, "spread"},
		"no module hash":      {func(p *Plan) { p.Modules[0].Sha256 = nil }, "SHA-256"},
		"module twice":        {func(p *Plan) { p.Modules = append(p.Modules, p.Modules[0]) }, "twice"},
		"too many modules":    {func(p *Plan) { p.Modules = slices.Repeat(p.Modules, 300) }, "300 modules"},
		"no source":           {func(p *Plan) { p.Source = nil }, "no source"},
		"no source kind":      {func(p *Plan) { p.Source.Kind = nil }, "unknown kind"},
		"no source format":    {func(p *Plan) { p.Source.Format = "" }, "no format"},
		"qos":                 {func(p *Plan) { p.Source.GetMqtt().Qos = 2 }, "QoS"},
		"no paths":            {func(p *Plan) { p.Source.Kind = &Source_File{File: &FileSource{}} }, "0 paths"},
		"rate":                {func(p *Plan) { p.Source.Kind = &Source_Sim{Sim: &SimSource{Devices: 1, Rate: -1}} }, "bad rate"},
		"negative disorder":   {func(p *Plan) { p.Source.MaxDisorderMicros = -1 }, "negative"},
		"unit":                {func(p *Plan) { p.Source.Columns[0].Unit = 77 }, "time unit"},
		"hidden":              {func(p *Plan) { p.Source.Columns[0].Hidden = 77 }, "unknown meaning"},
		"hidden type":         {func(p *Plan) { p.Source.Columns[0].Hidden = Hidden_HIDDEN_RECEIVED_AT }, "not timestamp"},
		"column type":         {func(p *Plan) { p.Source.Columns[0].Type = 256 + 1 }, "unknown type"},
		"column name":         {func(p *Plan) { p.Source.Columns[0].Name = "" }, "no name"},
		"column name twice":   {func(p *Plan) { p.Source.Columns[0].Name = p.Source.Columns[1].Name }, "two columns"},
		"event time":          {func(p *Plan) { p.Source.EventTime = 99 }, "event_time"},
		"event time type":     {func(p *Plan) { p.Source.EventTime = 0 }, "not a timestamp"},
		"window without time": {func(p *Plan) { p.Source.HasEventTime = false }, "without an event time"},
		"no edge":             {func(p *Plan) { p.Edge = nil }, "0 nodes"},
		"no cloud":            {func(p *Plan) { p.Cloud = nil }, "0 nodes"},
		"too many nodes":      {func(p *Plan) { p.Cloud.Nodes = slices.Repeat(p.Cloud.Nodes, 1000) }, "nodes"},
		"node number":         {func(p *Plan) { p.Edge.Nodes[1].Id = 7 }, "does not carry its number"},
		"node reads itself":   {func(p *Plan) { p.Edge.Nodes[1].Input = 1 }, "does not stand before it"},
		"node reads below":    {func(p *Plan) { p.Edge.Nodes[1].Input = -2 }, "does not stand before it"},
		"node reads a leaf": {func(p *Plan) {
			n := sinkOf(p)
			m := pb.Clone(n)
			m.Id++
			m.Input = int32(n.Id)
			p.Cloud.Nodes = append(p.Cloud.Nodes, m)
		}, "gives nothing"},
		"node without operation":   {func(p *Plan) { p.Edge.Nodes[0].Op = nil }, "no place on the edge"},
		"cloud node without input": {func(p *Plan) { finalOf(p).Input = -1 }, "there is none"},
		"port on the edge":         {func(p *Plan) { p.Edge.Nodes[0].Op = &Node_PortIn{PortIn: &PortIn{}} }, "no place on the edge"},
		"final on the edge":        {func(p *Plan) { partialOf(p).Op = finalOf(p).Op }, "its other half"},
		"partial in the cloud":     {func(p *Plan) { finalOf(p).Op = partialOf(p).Op }, "can only go to"},
		"where schema":             {func(p *Plan) { p.Edge.Nodes[0].Schema = p.Edge.Nodes[0].Schema[1:] }, "changes the columns"},
		"where type":               {func(p *Plan) { where(p).Condition = columnExpr(2, batch.Double) }, "of the type double where bool is due"},
		"where empty":              {func(p *Plan) { where(p).Condition = nil }, "empty"},
		"expression column":        {func(p *Plan) { where(p).Condition = columnExpr(99, batch.Bool) }, "column 99"},
		"expression column type":   {func(p *Plan) { where(p).Condition = columnExpr(0, batch.Bool) }, "of another type"},
		"expression kind":          {func(p *Plan) { where(p).Condition = &Expr{Type: 1} }, "unknown kind"},
		"expression type":          {func(p *Plan) { where(p).Condition.GetCall().Args[0].Type = 9 }, "unknown type"},
		"expression depth":         {func(p *Plan) { where(p).Condition = deep(MaxExprDepth + 1) }, "too deep"},
		"expression size":          {func(p *Plan) { where(p).Condition = wide(MaxExprNodes) }, "too large"},
		"expressions together":     {func(p *Plan) { crowd(p, 80) }, "too large"},
		"literal type":             {func(p *Plan) { e := deep(0); e.Type = 2; where(p).Condition = e }, "literal"},
		"literal empty":            {func(p *Plan) { where(p).Condition = &Expr{Type: 1, Kind: &Expr_Literal{}} }, "literal"},
		"call name":                {func(p *Plan) { where(p).Condition.GetCall().Op = "" }, "no name"},
		"project count":            {func(p *Plan) { n := project(p); n.GetProject().Columns = n.GetProject().Columns[1:] }, "expressions for"},
		"project type":             {func(p *Plan) { n := project(p); n.Schema[0].Type = 1 }, "is due"},
		"no port":                  {func(p *Plan) { p.Ports = nil }, "port 0"},
		"port kind":                {func(p *Plan) { p.Ports[0].Kind = 5 }, "unknown kind"},
		"port of rows":             {func(p *Plan) { p.Ports[0].Kind = Port_ROWS }, "fed by something else"},
		"port keys":                {func(p *Plan) { p.Ports[0].Keys = []uint32{99} }, "keys of port"},
		"port other keys":          {func(p *Plan) { p.Ports[0].Keys = []uint32{1} }, "split by other columns"},
		"port schema":              {func(p *Plan) { p.Ports[0].Schema = p.Ports[0].Schema[1:]; p.Ports[0].Keys = nil }, "not those of port"},
		"port not written":         {func(p *Plan) { p.Ports = append(p.Ports, pb.Clone(p.Ports[0])) }, "nothing writes port 2"},
		"port written twice": {func(p *Plan) {
			n := pb.Clone(portOutOf(p))
			n.Id = uint32(len(p.Edge.Nodes))
			p.Edge.Nodes = append(p.Edge.Nodes, n)
		}, "written twice"},
		"port in range":       {func(p *Plan) { p.Cloud.Nodes[0].GetPortIn().Port = 3 }, "port 3"},
		"port in input":       {func(p *Plan) { p.Cloud.Nodes[0].Input = -1; p.Cloud.Nodes[1].Op = p.Cloud.Nodes[0].Op }, "can only go to"},
		"window empty":        {func(p *Plan) { partialOf(p).Op = &Node_PartialWindow{} }, "empty window"},
		"window halves":       {func(p *Plan) { finalOf(p).GetFinalWindow().AllowedLatenessMicros++ }, "differ"},
		"window time":         {func(p *Plan) { both(p, func(w *Window) { w.TimeColumn = 0 }) }, "time of the window"},
		"window key column":   {func(p *Plan) { both(p, func(w *Window) { w.KeyColumns[0] = 77 }) }, "key columns"},
		"window key type":     {func(p *Plan) { both(p, func(w *Window) { w.Keys[0].Type = 2 }) }, "another type"},
		"window no slice":     {func(p *Plan) { both(p, func(w *Window) { w.SliceMicros = 0 }) }, "slice"},
		"window slices":       {func(p *Plan) { both(p, func(w *Window) { w.SliceMicros = 7 }) }, "do not fill"},
		"window none":         {func(p *Plan) { both(p, func(w *Window) { w.Windows = nil }) }, "0 windows"},
		"window kind":         {func(p *Plan) { both(p, func(w *Window) { w.Windows[0].Kind = 50 }) }, "unknown kind"},
		"accumulator kind":    {func(p *Plan) { both(p, func(w *Window) { w.Accumulators[0].Kind = "magic" }) }, "accumulator"},
		"accumulator column":  {func(p *Plan) { both(p, func(w *Window) { w.Accumulators[1].Column = 77 }) }, "column 77"},
		"accumulator type":    {func(p *Plan) { both(p, func(w *Window) { w.Accumulators[1].Type = 2 }) }, "another type"},
		"result accumulators": {func(p *Plan) { both(p, func(w *Window) { w.Results[0].Accumulators = []uint32{99} }) }, "accumulators of result"},
		"result type":         {func(p *Plan) { both(p, func(w *Window) { w.Results[0].Type = 0 }) }, "no known type"},
		"result name":         {func(p *Plan) { both(p, func(w *Window) { w.Results[0].Name = "other" }) }, "window's results"},
		"partial schema":      {func(p *Plan) { partialOf(p).Schema[2].Type = 1 }, "window's partials"},
		"sink kind":           {func(p *Plan) { sinkOf(p).GetSink().Kind = nil }, "unknown kind"},
		"table name":          {func(p *Plan) { sinkOf(p).GetSink().GetTable().Name = "" }, "no name"},
		"table keys":          {func(p *Plan) { sinkOf(p).GetSink().GetTable().Keys = []uint32{0, 0} }, "keys of the table"},
		"table time":          {func(p *Plan) { sinkOf(p).GetSink().GetTable().TimeColumn = 2 }, "time of the table"},
		"table keep":          {func(p *Plan) { sinkOf(p).GetSink().GetTable().KeepMicros = -1 }, "negative"},
		"file path":           {func(p *Plan) { sinkOf(p).GetSink().Kind = &Sink_File{File: &FileSink{}} }, "no name"},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := examplePlan(t, "greenhouse")
			c.damage(p)
			err := Check(p)
			if !errors.Is(err, ErrPlan) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want one that holds %q", err, c.want)
			}
		})
	}
}

func columnExpr(col uint32, t batch.Type) *Expr {
	return &Expr{Type: uint32(t), Kind: &Expr_Column{Column: col}}
}

// FuzzUnmarshal: bytes from outside never panic, and a plan that passes is
// the same after another round.
func FuzzUnmarshal(f *testing.F) {
	for _, name := range goldenPlans {
		_, raw := examplePlan(f, name)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Unmarshal(raw)
		if err != nil {
			return
		}
		again, err := Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := Unmarshal(again)
		if err != nil || !pb.Equal(p, q) {
			t.Fatalf("another plan after writing it: %v", err)
		}
	})
}
