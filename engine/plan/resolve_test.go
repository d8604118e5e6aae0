package plan

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/internal/pb"
)

func textExpr(s string) *Expr {
	return &Expr{Type: uint32(batch.String), Kind: &Expr_Literal{Literal: &Value{Kind: &Value_String_{String_: s}}}}
}

func callExpr(t batch.Type, op string, args ...*Expr) *Expr {
	return &Expr{Type: uint32(t), Kind: &Expr_Call{Call: &Call{Op: op, Args: args}}}
}

func doubleValue(d float64) *Value { return &Value{Kind: &Value_Double{Double: d}} }
func textValue(s string) *Value    { return &Value{Kind: &Value_String_{String_: s}} }

// settingsPlan uses parameters everywhere that they may stand.
func settingsPlan() *Plan {
	column := &Expr{Type: uint32(batch.Double), Kind: &Expr_Column{Column: 0}}
	when := callExpr(batch.Bool, ">", column, callExpr(batch.Double, ParamOp, textExpr("limit")))
	site := callExpr(batch.String, LabelOp, textExpr("site"))
	clear := callExpr(batch.Bool, "is_null", callExpr(batch.String, LabelOp, textExpr("nowhere")))
	local := callExpr(batch.Timestamp, ToZoneOp, callExpr(batch.String, ParamOp, textExpr("tz")), &Expr{Type: uint32(batch.Timestamp), Kind: &Expr_Column{Column: 1}})
	mqtt := func() *MqttSource {
		return &MqttSource{Broker: "tcp://${param.host}:1883", Topics: []string{"plain", "${param.host}/${param.limit}/#"}, Password: "${secret.p}", Username: "u${param.on}"}
	}
	return &Plan{
		Format: 1, Pipeline: "p",
		Params: []*Param{
			{Name: "limit", Type: uint32(batch.Double), Value: doubleValue(35), Sets: []*ParamSet{
				{Agents: "site=north", Value: doubleValue(40)}, {Agents: "role=x", Value: doubleValue(50)}}},
			{Name: "host", Type: uint32(batch.String), Value: textValue("broker")},
			{Name: "tz", Type: uint32(batch.String), Value: textValue("UTC"), Sets: []*ParamSet{{Agents: "role=bad", Value: textValue("Mars/Base")}}},
			{Name: "on", Type: uint32(batch.Bool), Value: &Value{Kind: &Value_Bool{Bool: true}}},
			{Name: "none", Type: uint32(batch.Int)},
		},
		Zones:  []*Zone{{Name: "UTC"}, {Name: "Europe/Paris"}},
		Source: &Source{Kind: &Source_Mqtt{Mqtt: mqtt()}},
		Edge: &Fragment{Nodes: []*Node{
			{Op: &Node_Where{Where: &Where{Condition: when}}},
			{Op: &Node_Project{Project: &Project{Columns: []*Expr{site, local}}}},
			{Op: &Node_Alert{Alert: &Alert{When: pb.Clone(when), Clear: clear}}},
			{Op: &Node_Sink{Sink: &Sink{Kind: &Sink_File{File: &FileSink{Path: "/x/${param.limit}/{device}"}}}}},
			{Op: &Node_Sink{Sink: &Sink{Kind: &Sink_Mqtt{Mqtt: &MqttSink{Connection: mqtt(), Topic: "${param.host}/{device}"}}}}},
		}},
	}
}

func TestResolve(t *testing.T) {
	p := settingsPlan()
	before := pb.Clone(p)
	out, err := Resolve(p, map[string]string{"site": "north", "role": "x"}, map[string]string{"host": "h${param.on}", "tz": "Europe/Paris"})
	if err != nil {
		t.Fatal(err)
	}
	if !pb.Equal(p, before) {
		t.Error("the plan given was changed")
	}
	if len(out.Params) != 0 {
		t.Error("the parameters are still there")
	}
	nodes := out.Edge.Nodes
	for _, e := range []*Expr{Exprs(nodes[0])[0], Exprs(nodes[2])[0]} {
		if got := e.GetCall().Args[1].GetLiteral().GetDouble(); got != 40 {
			t.Errorf("limit is %v, want 40: the first set that selects the agent", got)
		}
	}
	if got := Exprs(nodes[1])[0].GetLiteral().GetString_(); got != "north" {
		t.Errorf("label is %q, want north", got)
	}
	if got := Exprs(nodes[1])[1].GetCall().Args[0].GetLiteral().GetString_(); got != "Europe/Paris" {
		t.Errorf("zone is %q, want the override", got)
	}
	missing := Exprs(nodes[2])[1].GetCall().Args[0]
	if missing.GetLiteral() == nil || missing.GetLiteral().Kind != nil {
		t.Errorf("a label that the agent does not have is %v, want null", missing)
	}
	// Values are put in once: what they hold is text.
	for _, tt := range []struct{ got, want string }{
		{out.Source.GetMqtt().Broker, "tcp://h${param.on}:1883"}, {out.Source.GetMqtt().Topics[0], "plain"}, {out.Source.GetMqtt().Topics[1], "h${param.on}/40/#"},
		{out.Source.GetMqtt().Password, "${secret.p}"}, {out.Source.GetMqtt().Username, "utrue"},
		{nodes[3].GetSink().GetFile().Path, "/x/40/{device}"}, {nodes[4].GetSink().GetMqtt().Topic, "h${param.on}/{device}"},
		{nodes[4].GetSink().GetMqtt().Connection.Broker, "tcp://h${param.on}:1883"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func TestResolveTakesTheDefault(t *testing.T) {
	out, err := Resolve(settingsPlan(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := Exprs(out.Edge.Nodes[0])[0].GetCall().Args[1].GetLiteral().GetDouble(); got != 35 {
		t.Errorf("limit is %v, want the default 35", got)
	}
}

func TestResolveRefuses(t *testing.T) {
	tests := []struct {
		name      string
		overrides map[string]string
		labels    map[string]string
		change    func(p *Plan)
		want      string
		err       error
	}{
		{"no such parameter", map[string]string{"limt": "1"}, nil, nil, `no parameter "limt"`, ErrParam},
		{"not a number", map[string]string{"limit": "warm"}, nil, nil, `"warm" is not a value of type double`, ErrParam},
		{"a zone that is not in the plan", nil, map[string]string{"role": "bad"}, nil, `time zone "Mars/Base"`, ErrParam},
		{"null in a string", nil, nil, func(p *Plan) { p.Source.GetMqtt().Broker = "${param.none}" }, `"none" is null`, ErrParam},
		{"unknown in a string", nil, nil, func(p *Plan) { p.Source.GetMqtt().Broker = "${param.nope}" }, `no parameter "nope"`, ErrParam},
		{"not closed", nil, nil, func(p *Plan) { p.Source.GetMqtt().Broker = "${param.host" }, `not closed`, ErrParam},
		{"unknown in an expression", nil, nil, func(p *Plan) { p.Params = p.Params[1:] }, `no parameter "limit"`, ErrParam},
		{"of another type", nil, nil, func(p *Plan) { p.Params[0].Type = uint32(batch.Int) }, `no parameter "limit" of type double`, ErrParam},
		{"a call without a name", nil, nil, func(p *Plan) { Exprs(p.Edge.Nodes[0])[0].GetCall().Args[1].GetCall().Args = nil }, "param without a name", ErrPlan},
		{"a value of another type", nil, nil, func(p *Plan) { p.Params[0].Value = textValue("x") }, "not of the type double", ErrPlan},
		{"a bad selector", nil, nil, func(p *Plan) { p.Params[0].Sets[0].Agents = "site" }, "label selector", ErrParam},
	}
	for _, tt := range tests {
		p := settingsPlan()
		if tt.change != nil {
			tt.change(p)
		}
		_, err := Resolve(p, tt.labels, tt.overrides)
		if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestParseValue(t *testing.T) {
	for _, tt := range []struct {
		text string
		t    batch.Type
		want *Value
	}{
		{"true", batch.Bool, &Value{Kind: &Value_Bool{Bool: true}}}, {"-7", batch.Int, &Value{Kind: &Value_Int{Int: -7}}},
		{"1e3", batch.Double, doubleValue(1000)}, {"inf", batch.Double, doubleValue(math.Inf(1))}, {"", batch.String, textValue("")},
		{"1970-01-01T00:00:01.5+00:00", batch.Timestamp, &Value{Kind: &Value_Int{Int: 1_500_000}}},
	} {
		v, err := ParseValue(tt.text, tt.t)
		if err != nil || !pb.Equal(v, tt.want) {
			t.Errorf("%q as %s: %v, %v", tt.text, tt.t, v, err)
		}
	}
	for _, bad := range []struct {
		text string
		t    batch.Type
	}{{"maybe", batch.Bool}, {"1.5", batch.Int}, {"x", batch.Double}, {"soon", batch.Timestamp}, {"x", batch.Bytes}} {
		if _, err := ParseValue(bad.text, bad.t); err == nil {
			t.Errorf("%q is read as %s", bad.text, bad.t)
		}
	}
}
