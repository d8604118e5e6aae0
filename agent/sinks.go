package agent

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/leatio/leat/agent/broker"
	"github.com/leatio/leat/agent/sink"
	"github.com/leatio/leat/agent/sink/file"
	"github.com/leatio/leat/agent/sink/mqtt"
	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// sinkPrefix goes before the names of the streams that queue for edge sinks:
// edge/PIPELINE ID/SINK.
const sinkPrefix = "edge/"

func sinkStream(pipelineID, name string) string { return sinkPrefix + pipelineID + "/" + name }

// SinkOptions say how edge sinks are opened on this machine.
type SinkOptions struct {
	Dir        string // relative paths of files are relative to it; empty = the current directory
	ClientID   string // of MQTT, before the sink's name
	SecretsDir string // for ${secret.name}
}

// OpenOutlet makes the outlet of an edge sink. It connects nothing before it has something to deliver.
func OpenOutlet(s *plan.Sink, o SinkOptions) (sink.Outlet, error) {
	switch k := s.Kind.(type) {
	case *plan.Sink_File:
		path := k.File.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(o.Dir, path)
		}
		return file.New(file.Config{Path: path, MaxBytes: int64(k.File.MaxBytes)}), nil
	case *plan.Sink_Mqtt:
		b, err := brokerOf(k.Mqtt.GetConnection(), o.SecretsDir)
		if err != nil {
			return nil, fmt.Errorf("sink %s: %w", s.Name, err)
		}
		b.ClientID = o.ClientID + "-" + s.Name // never the source's: a broker has one connection for an id
		return mqtt.New(mqtt.Config{Broker: b, QoS: byte(k.Mqtt.Qos), Retain: k.Mqtt.Retain})
	default:
		return nil, fmt.Errorf("sink %s: this build has no edge sink of kind %T; upgrade the agent", s.Name, k)
	}
}

// brokerOf is a broker of the plan with its secrets put in.
func brokerOf(m *plan.MqttSource, secretsDir string) (broker.Config, error) {
	b := broker.Config{
		URL: m.GetBroker(), ClientID: m.GetClientId(), Username: m.GetUsername(), Password: m.GetPassword(),
		CAFile: m.GetCaFile(), CertFile: m.GetCertFile(), KeyFile: m.GetKeyFile(), InsecureSkipVerify: m.GetInsecureSkipVerify(),
	}
	for _, s := range []*string{&b.Password, &b.Username, &b.URL} {
		v, err := resolveSecrets(*s, secretsDir)
		if err != nil {
			return b, err
		}
		*s = v
	}
	return b, nil
}

// edgeSinks are the sinks of the edge fragments of a pipeline's versions. Sinks of
// one name share a queue, whatever the version.
type edgeSinks struct {
	list []*edgeSink
	by   map[*plan.Node]rendering
}

// rendering makes messages of the rows of one node.
type rendering struct {
	*sink.Renderer
	to *edgeSink
}

// edgeSink is a queue and its outlet. Messages wait for the next commit.
type edgeSink struct {
	stream   string
	queue    *checkpoint.Stream
	runner   *sink.Runner
	messages []sink.Message
	added    bool // to the runner, for the commit that is being tried
}

// openSinks opens the sinks of a pipeline's versions; the last of them says where a sink delivers.
// id, the agent and its store epoch, begins the ids of messages.
func openSinks(versions []*plan.Plan, store *checkpoint.Store, id string, o SinkOptions, log *slog.Logger) (*edgeSinks, error) {
	all := &edgeSinks{by: map[*plan.Node]rendering{}}
	byName := map[string]*edgeSink{}
	for _, p := range slices.Backward(versions) {
		for _, n := range p.Edge.Nodes {
			s := n.GetSink()
			if s == nil {
				continue
			}
			if byName[s.Name] == nil {
				e, err := openSink(p, s, store, o, log)
				if err != nil {
					return nil, err
				}
				all.list, byName[s.Name] = append(all.list, e), e
			}
			schema := p.Source.Schema()
			if n.Input >= 0 {
				schema = plan.SchemaOf(p.Edge.Nodes[n.Input].Schema)
			}
			r, err := sink.NewRenderer(fmt.Sprintf("%s/%s/%d/%s", id, p.PipelineId, p.Version, s.Name), s.GetMqtt().GetTopic(), schema)
			if err != nil {
				return nil, err
			}
			all.by[n] = rendering{r, byName[s.Name]}
		}
	}
	return all, nil
}

func openSink(p *plan.Plan, s *plan.Sink, store *checkpoint.Store, o SinkOptions, log *slog.Logger) (*edgeSink, error) {
	outlet, err := OpenOutlet(s, o)
	if err != nil {
		return nil, err
	}
	e := &edgeSink{stream: sinkStream(p.PipelineId, s.Name)}
	e.queue = store.Stream(e.stream)
	e.runner, err = sink.New(sink.Config{Name: s.Name, Queue: e.queue, Outlet: outlet, BudgetBytes: int64(s.BudgetBytes), Log: log.With("pipeline", p.Pipeline)})
	return e, err
}

// take is the engine's sink: it makes messages of rows.
func (s *edgeSinks) take(n *plan.Node, _ batch.Schema, b *batch.Batch) error {
	r := s.by[n]
	r.to.messages = r.Append(r.to.messages, r.to.queue.Next(), b)
	return nil
}

// pending tells whether messages wait for a commit.
func (s *edgeSinks) pending() bool {
	return slices.ContainsFunc(s.list, func(e *edgeSink) bool { return len(e.messages) > 0 })
}

// records appends the records of the next commit.
func (s *edgeSinks) records(dst []checkpoint.Record) []checkpoint.Record {
	for _, e := range s.list {
		if len(e.messages) == 0 {
			continue
		}
		data := sink.AppendMessages(nil, e.messages)
		e.runner.Add(len(data), len(e.messages))
		e.messages, e.added = e.messages[:0], true
		dst = append(dst, checkpoint.Record{Stream: e.stream, Kind: checkpoint.Frame, Seq: e.queue.Next(), Data: data})
	}
	return dst
}

// committed follows a commit.
func (s *edgeSinks) committed() error {
	for _, e := range s.list {
		if e.added {
			e.added = false
			if err := e.runner.Trim(); err != nil {
				return err
			}
		}
	}
	return nil
}

// run delivers until ctx ends.
func (s *edgeSinks) run(ctx context.Context, goes func(func() error)) {
	for _, e := range s.list {
		goes(func() error { return e.runner.Run(ctx) })
	}
}

// stats are the counters of the sinks.
func (s *edgeSinks) stats() []sink.Stats {
	var out []sink.Stats
	for _, e := range s.list {
		out = append(out, e.runner.Stats())
	}
	return out
}

// dropOrphanSinks forgets the queues of sinks that no plan has any more.
func (a *Agent) dropOrphanSinks(plans map[string]*plan.Plan) error {
	known := map[string]bool{}
	knows := func(p *plan.Plan) {
		for _, n := range p.Edge.Nodes {
			if s := n.GetSink(); s != nil {
				known[sinkStream(p.PipelineId, s.Name)] = true
			}
		}
	}
	for _, p := range plans {
		knows(p)
		older, err := a.olderVersions(p)
		if err != nil {
			return err
		}
		for _, old := range older {
			knows(old.Plan)
		}
	}
	for _, name := range a.store.Streams() {
		if !strings.HasPrefix(name, sinkPrefix) || known[name] {
			continue
		}
		if s := a.store.Stream(name); s.First() < s.Next() {
			a.cfg.Log.Warn("the queue of an edge sink that is gone from its pipeline is dropped with what it held", "queue", name, "records", s.Next()-s.First())
		}
		if err := a.store.DropStream(name); err != nil {
			return err
		}
	}
	return nil
}
