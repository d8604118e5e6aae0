package agent

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/agent/source/file"
	"github.com/leatio/leat/agent/source/mqtt"
	"github.com/leatio/leat/agent/source/sim"
	"github.com/leatio/leat/engine/plan"
)

// SourceOptions say how a plan's source is opened on this machine.
type SourceOptions struct {
	Dir        string       // relative paths of files are relative to it; empty = the current directory
	Stdin      io.Reader    // for the path "-"; nil = standard input
	ClientID   string       // of MQTT where the plan names none; it names the session at the broker
	Clean      bool         // MQTT: a session of ClientID, whatever the plan names, that ends with the connection
	SecretsDir string       // for ${secret.name}
	Store      source.Store // what was committed; nil = nothing
	Log        *slog.Logger
}

// OpenSource makes the source of a plan. It connects nothing before Run.
func OpenSource(p *plan.Plan, o SourceOptions) (source.Source, error) {
	switch k := p.Source.GetKind().(type) {
	case *plan.Source_File:
		if k.File.Follow {
			return nil, fmt.Errorf("pipeline %q: file sources with follow are not built yet in this version", p.Pipeline)
		}
		paths := make([]string, len(k.File.Paths))
		for i, path := range k.File.Paths {
			if paths[i] = path; path != file.Stdin && !filepath.IsAbs(path) {
				paths[i] = filepath.Join(o.Dir, path)
			}
		}
		return file.New(file.Config{Paths: paths, CSV: p.Source.Format == "csv", Stdin: o.Stdin}, o.Store)
	case *plan.Source_Sim:
		return sim.New(sim.Config{Devices: int(k.Sim.Devices), Rate: k.Sim.Rate, Rows: k.Sim.Rows, Seed: k.Sim.Seed}, o.Store)
	case *plan.Source_Mqtt:
		return openMQTT(k.Mqtt, o)
	default:
		return nil, fmt.Errorf("pipeline %q: this build has no source of kind %T", p.Pipeline, k)
	}
}

func openMQTT(m *plan.MqttSource, o SourceOptions) (source.Source, error) {
	b, err := brokerOf(m, o.SecretsDir)
	if err != nil {
		return nil, err
	}
	if b.ClientID == "" || o.Clean {
		b.ClientID = o.ClientID
	}
	return mqtt.New(mqtt.Config{
		Broker: b.URL, Topics: m.Topics, QoS: byte(m.Qos), ClientID: b.ClientID, Username: b.Username, Password: b.Password,
		CAFile: b.CAFile, CertFile: b.CertFile, KeyFile: b.KeyFile, InsecureSkipVerify: b.InsecureSkipVerify, Clean: o.Clean, Log: o.Log,
	}, o.Store)
}
