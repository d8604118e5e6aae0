package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sync/errgroup"
)

// serveMetrics serves /metrics in Prometheus' text format.
func (a *Agent) serveMetrics(ctx context.Context) error {
	l, err := net.Listen("tcp", a.cfg.MetricsListen)
	if err != nil {
		return fmt.Errorf("metrics: %w; set metrics_listen to a free host:port", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		a.metrics().WritePrometheus(w)
		metrics.WriteProcessMetrics(w)
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		return srv.Close()
	})
	return g.Wait()
}

// metrics gives the agent's counters as of now.
func (a *Agent) metrics() *metrics.Set {
	s := metrics.NewSet()
	v := a.View()
	gauge := func(name string, value float64) { s.NewGauge(name, func() float64 { return value }) }
	connected := 0.0
	if v.Link.Connected {
		connected = 1
	}
	gauge("leat_agent_connected", connected)
	gauge("leat_agent_outbox_live_bytes", float64(v.Outbox.LiveBytes))
	gauge("leat_agent_outbox_limit_bytes", float64(v.Outbox.LimitBytes))
	s.NewCounter("leat_agent_commits_total").Set(v.Outbox.Commits)
	for _, p := range v.Pipelines {
		label := func(name string) string {
			return fmt.Sprintf(`leat_agent_%s{pipeline=%q,version="%d"}`, name, p.Name, p.Version)
		}
		count := func(name string, n uint64) { s.NewCounter(label(name)).Set(n) }
		count("messages_total", p.Totals.Messages)
		count("rows_total", p.Totals.Rows)
		count("rejects_total", p.Totals.Rejects)
		count("late_rows_total", p.Totals.Late)
		count("raw_bytes_total", p.Totals.RawBytes)
		count("frames_total", p.Totals.Frames)
		count("frame_bytes_total", p.Totals.SentBytes)
		count("redeliveries_total", p.Source.Redelivered)
		running := 0.0
		if p.State == "running" {
			running = 1
		}
		gauge(label("pipeline_running"), running)
		gauge(label("frames_waiting"), float64(p.Waiting))
		count("frames_acknowledged_total", p.Acked)
		var resent, found uint64
		for _, st := range v.Streams {
			if st.Key.Pipeline == p.ID && st.Key.Version == p.Version {
				resent, found = resent+st.Resent, found+st.Found
			}
		}
		for _, k := range p.Sinks {
			label := func(name string) string {
				return fmt.Sprintf(`leat_agent_sink_%s{pipeline=%q,version="%d",sink=%q}`, name, p.Name, p.Version, k.Name)
			}
			s.NewCounter(label("delivered_total")).Set(k.Delivered)
			s.NewCounter(label("dropped_total")).Set(k.Dropped)
			s.NewCounter(label("failures_total")).Set(k.Failures)
			gauge(label("waiting"), float64(k.Waiting))
			gauge(label("queue_bytes"), float64(k.Bytes))
		}
		count("frames_resent_total", resent)
		count("frames_found_durable_total", found)
	}
	return s
}
