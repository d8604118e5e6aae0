package plan

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/internal/pb"
)

// all gives every node of a kind.
func all[T any](f *Fragment, get func(*Node) *T) []*Node {
	var out []*Node
	for _, n := range f.Nodes {
		if get(n) != nil {
			out = append(out, n)
		}
	}
	return out
}

// of gives the first operation of a kind.
func of[T any](f *Fragment, get func(*Node) *T) *T { return get(nodeWith(f, get)) }

// edgeSink is the first sink on the edge with an MQTT topic.
func mqttOf(p *Plan) *MqttSink {
	for _, n := range all(p.Edge, (*Node).GetSink) {
		if m := n.GetSink().GetMqtt(); m != nil {
			return m
		}
	}
	panic("BUG: the example has no MQTT sink")
}

// windowsOf are the equal copies of the first window of a plan.
func windowsOf(p *Plan, f func(*Window)) {
	f(all(p.Edge, (*Node).GetPartialWindow)[0].GetPartialWindow())
	for _, n := range append(all(p.Cloud, (*Node).GetFinalWindow), all(p.Edge, (*Node).GetFinalWindow)...) {
		f(n.GetFinalWindow())
		return
	}
}

func call(op string, t batch.Type, args ...*Expr) *Expr {
	return &Expr{Type: uint32(t), Kind: &Expr_Call{Call: &Call{Op: op, Args: args}}}
}

func textLiteral(s string) *Expr {
	return &Expr{Type: uint32(batch.String), Kind: &Expr_Literal{Literal: &Value{Kind: &Value_String_{String_: s}}}}
}

// TestCheckRefusesMore damages the plan with branches.
func TestCheckRefusesMore(t *testing.T) {
	alert := func(p *Plan) *Alert { return of(p.Edge, (*Node).GetAlert) }
	chain := func(p *Plan) *Window { return of(p.Cloud, (*Node).GetChainWindow) }
	for name, c := range map[string]struct {
		damage func(p *Plan)
		want   string
	}{
		"quorum":               {func(p *Plan) { p.AwayQuorum = math.NaN() }, "no share"},
		"max lag":              {func(p *Plan) { p.MaxLagMicros = -1 }, "negative"},
		"param twice":          {func(p *Plan) { p.Params[0] = p.Params[1] }, "twice"},
		"param name":           {func(p *Plan) { p.Params[0].Name = "" }, "no name"},
		"param type":           {func(p *Plan) { p.Params[0].Type = 99 }, "unknown type"},
		"param value":          {func(p *Plan) { p.Params[0].Type = uint32(batch.String) }, "literal"},
		"param selector":       {func(p *Plan) { p.Params[0].Sets[0].Agents = "x" }, "limit"},
		"param set value":      {func(p *Plan) { p.Params[0].Sets[0].Value = &Value{Kind: &Value_Bool{}} }, "literal"},
		"param unknown":        {func(p *Plan) { p.Params = p.Params[1:] }, `no parameter "limit"`},
		"param without a name": {func(p *Plan) { alert(p).When = call(ParamOp, batch.Bool) }, "without a name"},
		"label type":           {func(p *Plan) { alert(p).When = call(LabelOp, batch.Bool, textLiteral("x")) }, "no string"},
		"param in the cloud": {func(p *Plan) {
			of(p.Cloud, (*Node).GetWhere).Condition = call("=", batch.Bool, call(LabelOp, batch.String, textLiteral("x")), textLiteral("y"))
		}, "no place in the cloud"},
		"zone missing":       {func(p *Plan) { p.Zones = nil }, "rules of the time zone"},
		"zone twice":         {func(p *Plan) { p.Zones = append(p.Zones, p.Zones[0]) }, "twice"},
		"zone order":         {func(p *Plan) { z := p.Zones[0].Changes; z[0], z[1] = z[1], z[0] }, "not after the one before"},
		"zone offset":        {func(p *Plan) { p.Zones[0].Offset = 1 << 40 }, "too far off"},
		"port freshness":     {func(p *Plan) { p.Ports[2].FreshnessMicros = -1 }, "negative"},
		"alert keys":         {func(p *Plan) { alert(p).Keys = []uint32{99} }, "keys of an alert"},
		"alert time":         {func(p *Plan) { alert(p).TimeColumn = 0 }, "time of an alert"},
		"alert for":          {func(p *Plan) { alert(p).ForMicros = -1 }, "negative"},
		"alert when":         {func(p *Plan) { alert(p).When = nil }, "when"},
		"alert clear":        {func(p *Plan) { alert(p).Clear = textLiteral("x") }, "clear"},
		"alert empty":        {func(p *Plan) { nodeWith(p.Edge, (*Node).GetAlert).Op = &Node_Alert{} }, "empty alert"},
		"alert columns":      {func(p *Plan) { nodeWith(p.Edge, (*Node).GetAlert).Schema[0].Name = "other" }, "not those of its input"},
		"late of rows":       {func(p *Plan) { nodeWith(p.Edge, (*Node).GetLate).Input = 0 }, "no window"},
		"late columns":       {func(p *Plan) { nodeWith(p.Edge, (*Node).GetLate).Schema[0].Name = "other" }, "late rows"},
		"window overflow":    {func(p *Plan) { windowsOf(p, func(w *Window) { w.Overflow = 9 }) }, "overflow"},
		"window groups":      {func(p *Plan) { windowsOf(p, func(w *Window) { w.MaxGroups = 1 << 40 }) }, "too many groups"},
		"window early":       {func(p *Plan) { windowsOf(p, func(w *Window) { w.EarlyMicros = -1 }) }, "negative"},
		"window step":        {func(p *Plan) { windowsOf(p, func(w *Window) { w.Windows[1].EveryMicros = 7 }) }, "step"},
		"window no step":     {func(p *Plan) { windowsOf(p, func(w *Window) { w.Windows[1].EveryMicros = 0 }) }, "step"},
		"window tumbling":    {func(p *Plan) { windowsOf(p, func(w *Window) { w.Windows[0].EveryMicros = 1 }) }, "tumbling"},
		"window many slices": {func(p *Plan) { windowsOf(p, func(w *Window) { w.Windows[0].SizeMicros = w.SliceMicros * 1e6 }) }, "too many of them"},
		"window cumulative": {func(p *Plan) {
			windowsOf(p, func(w *Window) {
				w.Windows[1].Kind, w.Windows[1].EveryMicros = WindowSpec_CUMULATIVE, w.Windows[1].SizeMicros-w.SliceMicros
			})
		}, "cumulative"},
		"session beside":       {func(p *Plan) { windowsOf(p, func(w *Window) { w.Windows[1].Kind = WindowSpec_SESSION }) }, "session"},
		"window identity":      {func(p *Plan) { windowsOf(p, func(w *Window) { w.Identity = []uint32{0} }) }, "only windows over results"},
		"accumulator param":    {func(p *Plan) { windowsOf(p, func(w *Window) { w.Accumulators[0].Param = math.Inf(1) }) }, "usable parameter"},
		"forwarded keys":       {func(p *Plan) { p.Ports[3].Keys = []uint32{1, 0} }, "split by other columns"},
		"forwarded schema":     {func(p *Plan) { all(p.Edge, (*Node).GetPortOut)[3].Schema[4].Type = 1 }, "not those of port 3"},
		"forwarded from rows":  {func(p *Plan) { all(p.Edge, (*Node).GetPortOut)[3].Input = 1 }, "fed by something else"},
		"forwarded to another": {func(p *Plan) { of(p.Cloud, (*Node).GetWindowRows).Window = 1 }, "no final window"},
		"forwarded to a sink": {func(p *Plan) {
			nodeWith(p.Cloud, (*Node).GetWindowRows).Op = &Node_Sink{Sink: &Sink{Kind: &Sink_Stdout{}}}
		}, "only go to a window"},
		"forwarded gives":      {func(p *Plan) { nodeWith(p.Cloud, (*Node).GetWindowRows).Schema = []*Column{{Name: "x", Type: 1}} }, "gives nothing"},
		"chain identity":       {func(p *Plan) { chain(p).Identity = chain(p).Identity[1:] }, "tell the results"},
		"chain identity twice": {func(p *Plan) { chain(p).Identity[3] = 0 }, "identity"},
		"chain identity type":  {func(p *Plan) { chain(p).Identity[0], chain(p).Identity[2] = chain(p).Identity[2], chain(p).Identity[0] }, "not a timestamp"},
		"chain time":           {func(p *Plan) { chain(p).TimeColumn = 2 }, "time of the window"},
		"chain lateness":       {func(p *Plan) { chain(p).InnerLatenessMicros = -1 }, "negative lateness"},
		"chain forwards":       {func(p *Plan) { chain(p).ForwardRows = true }, "only windows over rows"},
		"chain accumulator":    {func(p *Plan) { chain(p).Accumulators[0].Kind = "magic" }, "accumulator"},
		"chain of sessions": {func(p *Plan) {
			w := chain(p)
			w.Windows, w.SliceMicros, w.TimeZone = []*WindowSpec{{Kind: WindowSpec_SESSION, EveryMicros: 1}}, 0, ""
		}, "sessions over results"},
		"chain columns":         {func(p *Plan) { chain(p).Results[0].Name = "other" }, "window's results"},
		"chain over rows":       {func(p *Plan) { nodeWith(p.Cloud, (*Node).GetChainWindow).Input = 0 }, "no other window"},
		"sink twice":            {func(p *Plan) { s := all(p.Edge, (*Node).GetSink); s[0].GetSink().Name = s[1].GetSink().Name }, "twice"},
		"edge sink no name":     {func(p *Plan) { nodeWith(p.Edge, (*Node).GetSink).GetSink().Name = "" }, "no name"},
		"table on the edge":     {func(p *Plan) { nodeWith(p.Edge, (*Node).GetSink).Op = nodeWith(p.Cloud, (*Node).GetSink).Op }, "no place on the edge"},
		"stdout on the edge":    {func(p *Plan) { of(p.Edge, (*Node).GetSink).Kind = &Sink_Stdout{} }, "no place on the edge"},
		"mqtt in the cloud":     {func(p *Plan) { of(p.Cloud, (*Node).GetSink).Kind = &Sink_Mqtt{Mqtt: mqttOf(p)} }, "no place in the cloud"},
		"mqtt without a broker": {func(p *Plan) { mqttOf(p).Connection = nil }, "without a broker"},
		"topic column":          {func(p *Plan) { mqttOf(p).Topic = "a/{nothing}" }, `no column "nothing"`},
		"topic not closed":      {func(p *Plan) { mqttOf(p).Topic = "a/{site" }, "not closed"},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := examplePlan(t, "branches")
			c.damage(p)
			if err := Check(p); !errors.Is(err, ErrPlan) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want one that holds %q", err, c.want)
			}
		})
	}
}

// TestCheckRefusesSteps damages the plan with steps in the cloud.
func TestCheckRefusesSteps(t *testing.T) {
	changed := func(p *Plan) *Changed { return of(p.Edge, (*Node).GetChanged) }
	lookup := func(p *Plan) *LookupJoin { return of(p.Edge, (*Node).GetLookup) }
	sample := func(p *Plan) *Sample { return of(p.Edge, (*Node).GetSample) }
	dedupe := func(p *Plan) *Dedupe { return of(p.Cloud, (*Node).GetDedupe) }
	edgeWindow := func(p *Plan, f func(*Window)) {
		f(of(p.Edge, (*Node).GetPartialWindow))
		f(of(p.Edge, (*Node).GetFinalWindow))
	}
	for name, c := range map[string]struct {
		damage func(p *Plan)
		want   string
	}{
		"changed nothing":    {func(p *Plan) { changed(p).Columns = nil }, "compares no columns"},
		"changed column":     {func(p *Plan) { changed(p).Columns[0].Column = 99 }, "columns of changed"},
		"changed twice":      {func(p *Plan) { changed(p).Columns[0].Column = changed(p).Columns[1].Column }, "columns of changed"},
		"changed deadband":   {func(p *Plan) { changed(p).Columns[0].Deadband = -1 }, "deadband"},
		"changed no number":  {func(p *Plan) { changed(p).Columns[1].Deadband = 1 }, "no number"},
		"changed heartbeat":  {func(p *Plan) { changed(p).HasTime = false }, "heartbeat"},
		"changed time":       {func(p *Plan) { changed(p).TimeColumn = 0 }, "time of changed"},
		"changed keys":       {func(p *Plan) { changed(p).Keys = []uint32{0, 0} }, "keys of changed"},
		"lookup table":       {func(p *Plan) { lookup(p).Lookup = 1 }, "does not name"},
		"lookup hash":        {func(p *Plan) { p.Lookups[0].Sha256 = nil }, "SHA-256"},
		"lookup name":        {func(p *Plan) { p.Lookups[0].Name = "" }, "no name"},
		"lookup on":          {func(p *Plan) { lookup(p).On = nil }, "keys for"},
		"lookup columns":     {func(p *Plan) { lookup(p).Columns = lookup(p).Columns[1:] }, "adds"},
		"lookup keys":        {func(p *Plan) { lookup(p).Keys[0] = 99 }, "keys of a lookup"},
		"sample interval":    {func(p *Plan) { sample(p).EveryMicros = 0 }, "interval"},
		"sample time":        {func(p *Plan) { sample(p).TimeColumn = 0 }, "time of sample"},
		"dedupe interval":    {func(p *Plan) { dedupe(p).WithinMicros = 0 }, "interval"},
		"dedupe keys":        {func(p *Plan) { dedupe(p).Keys = nil }, "keys"},
		"dedupe schema":      {func(p *Plan) { n := nodeWith(p.Cloud, (*Node).GetDedupe); n.Schema = n.Schema[1:] }, "not those of its input"},
		"session gap":        {func(p *Plan) { edgeWindow(p, func(w *Window) { w.Windows[0].EveryMicros = 0 }) }, "session"},
		"session slices":     {func(p *Plan) { edgeWindow(p, func(w *Window) { w.SliceMicros = 1 }) }, "session"},
		"edge window halves": {func(p *Plan) { of(p.Edge, (*Node).GetFinalWindow).AllowedLatenessMicros++ }, "other half"},
		"edge window schema": {func(p *Plan) { nodeWith(p.Edge, (*Node).GetFinalWindow).Schema[0].Name = "x" }, "window's results"},
		"keyed without a function": {func(p *Plan) {
			nodeWith(p.Edge, (*Node).GetSample).Op = &Node_Keyed{Keyed: &Keyed{TimeColumn: sample(p).TimeColumn}}
		}, "function"},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := examplePlan(t, "cloudsteps")
			c.damage(p)
			if err := Check(p); !errors.Is(err, ErrPlan) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want one that holds %q", err, c.want)
			}
		})
	}
}

// TestCheckTakesResolved: a plan whose parameters are values still passes.
func TestCheckTakesResolved(t *testing.T) {
	p, _ := examplePlan(t, "branches")
	before := pb.Clone(p)
	r, err := Resolve(p, map[string]string{"site": "north"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(r); err != nil {
		t.Error(err)
	}
	if got := r.Source.GetMqtt(); got.Broker != "tcp://north:1883" || got.Topics[0] != "climate/+/rows" {
		t.Errorf("the source is %v", got)
	}
	if got := mqttOf(r).Connection.Broker; got != "tcp://north:1883" {
		t.Errorf("the sink's broker is %s", got)
	}
	if !pb.Equal(p, before) {
		t.Error("the plan was changed")
	}
}
