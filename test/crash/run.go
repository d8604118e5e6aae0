package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Report is what a run found.
type Report struct {
	Seed        uint64
	Published   int64
	Distinct    int // different messages among them
	Kills       []*Kill
	Took        time.Duration
	Failures    []string // empty: the run passed
	Observation []string // what else was seen
}

// run is a run under way.
type run struct {
	cfg    Config
	site   *site
	pub    *publisher
	input  *input
	oracle *oracle
	killer *killer
	report *Report
}

// Run runs to the end, or until ctx ends. An error says that the run could not
// be made; what the run found against Leat stands in the report.
func Run(ctx context.Context, cfg Config) (_ *Report, err error) {
	cfg = cfg.withDefaults()
	began := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	died := func(err error) { cancel(err) }
	s, err := newSite(cfg, died)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := &run{cfg: cfg, site: s, input: newInput(cfg.Seed), oracle: newOracle(), report: &Report{Seed: cfg.Seed}}
	r.printf("crash run: seed %d, %d messages, %d kills; data and logs in %s", cfg.Seed, cfg.Messages, cfg.Kills, cfg.Dir)
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	if r.pub, err = newPublisher(s, r.oracle, died); err != nil {
		return nil, err
	}
	defer r.pub.close()
	r.printf("everything runs after %.1f s", time.Since(began).Seconds())
	if err := r.faults(ctx); err != nil {
		return nil, err
	}
	if err := r.verify(ctx); err != nil {
		return nil, err
	}
	if err := r.stop(); err != nil {
		r.fail("%v", err)
	}
	r.report.Took = time.Since(began)
	return r.report, nil
}

func (r *run) printf(format string, args ...any) { fmt.Fprintf(r.cfg.Out, format+"\n", args...) }

func (r *run) fail(format string, args ...any) {
	r.report.Failures = append(r.report.Failures, fmt.Sprintf(format, args...))
}

func (r *run) note(format string, args ...any) {
	r.report.Observation = append(r.report.Observation, fmt.Sprintf(format, args...))
}

// faults publishes while the killer kills.
func (r *run) faults(ctx context.Context) error {
	r.killer = newKiller(r.site, r.pub, r.cfg, func(line string) { r.printf("%s", line) })
	killed := make(chan struct{})
	g, ctx := errgroup.WithContext(ctx)
	pollCtx, stopPoll := context.WithCancel(ctx)
	for _, v := range []*scraper{r.site.agentView, r.site.cloudView} {
		g.Go(func() error { v.poll(pollCtx, 200*time.Millisecond); return nil })
	}
	g.Go(func() error {
		defer close(killed)
		return r.killer.run(ctx)
	})
	g.Go(func() error {
		defer stopPoll()
		return r.publish(ctx, killed)
	})
	if err := g.Wait(); err != nil {
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
			err = cause
		}
		return fmt.Errorf("%w\nlast lines of leat-agent:\n%s\nlast lines of leat-cloud:\n%s", err, r.site.agent.tail(15), r.site.cloud.tail(15))
	}
	return nil
}

// publish sends the messages, and then goes on at a walk while kills are missing.
func (r *run) publish(ctx context.Context, killed <-chan struct{}) error {
	for range r.cfg.Messages {
		if err := r.pub.publish(ctx, r.input.next()); err != nil {
			return err
		}
	}
	walk := time.NewTicker(walkEvery)
	defer walk.Stop()
	for {
		select {
		case <-killed:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-walk.C:
		}
		for range walkMessages {
			if err := r.pub.publish(ctx, r.input.next()); err != nil {
				return err
			}
		}
	}
}

// The walk: so many messages, so often.
const (
	walkEvery    = 10 * time.Millisecond
	walkMessages = 30
)

// verify sends fresh input, waits until it has passed, and compares.
func (r *run) verify(ctx context.Context) error {
	for _, m := range r.input.fresh() {
		if err := r.pub.publish(ctx, m); err != nil {
			return err
		}
	}
	if err := r.pub.sent(ctx); err != nil {
		return err
	}
	r.report.Published, r.report.Distinct = r.pub.published.Load(), len(r.oracle.rows)
	if err := r.site.until(ctx, "every message is acknowledged by the agent", func(ctx context.Context) error {
		return r.site.witness.wait(ctx, func() bool { return r.site.witness.behind() == 0 })
	}); err != nil {
		r.fail("%v", err)
	}
	if err := r.site.until(ctx, "input published after the last kill reaches both tables", r.freshArrives); err != nil {
		r.fail("%v", err)
	}
	_, agentErr := r.site.agentView.scrape(ctx)
	_, cloudErr := r.site.cloudView.scrape(ctx)
	if err := errors.Join(agentErr, cloudErr); err != nil {
		return err
	}
	r.killer.settle()
	r.report.Kills = r.killer.kills
	if err := r.compare(ctx); err != nil {
		return err
	}
	r.checkBroker(ctx)
	r.checkCounters()
	return nil
}

// freshArrives waits until the input of fresh stands in both tables. It went through each partition behind everything else.
func (r *run) freshArrives(ctx context.Context) error {
	type counts struct{ Windows, Rows int64 }
	return retry(ctx, func() error {
		got, err := query[counts](ctx, r.site, fmt.Sprintf(`SELECT (SELECT count(*) FROM %s WHERE device LIKE 'fresh-%%') AS "Windows",
			(SELECT count(*) FROM %s WHERE device LIKE 'fresh-%%') AS "Rows"`, windowsTable, rowsTable))
		if err != nil {
			return err
		}
		if got[0] != (counts{freshDevices, freshDevices}) {
			return fmt.Errorf("%d of %d windows and %d of %d rows are there", got[0].Windows, freshDevices, got[0].Rows, freshDevices)
		}
		return nil
	})
}

// compare asks for the tables and tells every difference.
func (r *run) compare(ctx context.Context) error {
	type windowRow struct {
		Device                 string
		Start                  time.Time `json:"window_start"`
		N                      int64
		Total, Low, High, Mean float64
	}
	ws, err := query[windowRow](ctx, r.site, fmt.Sprintf("SELECT device, window_start, n, total, low, high, mean FROM %s WHERE device <> '%s'", windowsTable, endDevice))
	if err != nil {
		return err
	}
	windows := map[windowKey]window{}
	for _, w := range ws {
		k := windowKey{w.Device, w.Start.UnixMilli()}
		if _, twice := windows[k]; twice {
			r.fail("window %s %d stands twice in the table", k.device, k.start)
		}
		windows[k] = window{n: w.N, total: w.Total, low: w.Low, high: w.High, mean: w.Mean}
	}
	type row struct {
		Device string
		TS     time.Time
		Value  float64
		N      int64
	}
	rs, err := query[row](ctx, r.site, fmt.Sprintf("SELECT device, ts, value, count(*) AS n FROM %s GROUP BY device, ts, value", rowsTable))
	if err != nil {
		return err
	}
	rows := map[message]int64{}
	var total int64
	for _, x := range rs {
		rows[message{x.Device, x.TS.UnixMilli(), x.Value}] += x.N
		total += x.N
	}
	r.tell(windowsTable, r.oracle.compareWindows(windows))
	r.tell(rowsTable, r.oracle.compareRows(rows))
	r.note("%s: %d windows compared; %s: %d rows, %d different, compared", windowsTable, len(windows), rowsTable, total, len(rows))
	return nil
}

// maxTold bounds the differences that are told one by one.
const maxTold = 25

func (r *run) tell(table string, d []difference) {
	var lost, doubled int64
	for _, x := range d {
		lost, doubled = lost-min(x.rows, 0), doubled+max(x.rows, 0)
	}
	for i, x := range d {
		if i == maxTold {
			r.fail("%s: ... and %d more", table, len(d)-maxTold)
			break
		}
		r.fail("%s: %s", table, x)
	}
	if len(d) > 0 {
		r.fail("%s: %d differences: %d messages lost, %d too many", table, len(d), lost, doubled)
	}
}

// checkBroker proves the input: each subscription got each message, and the broker dropped none.
func (r *run) checkBroker(ctx context.Context) {
	w := r.site.witness
	err := r.site.until(ctx, "the broker's count of dropped messages", func(ctx context.Context) error {
		n, err := r.pub.brokerDropped(ctx)
		if err == nil && n != "0" {
			r.fail("the broker dropped %s messages: the run is void; lower the backlog", n)
		}
		return err
	})
	if err != nil {
		r.fail("%v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.dropped {
		r.fail("the broker says: %s", l)
	}
	for _, client := range slices.Sorted(maps.Keys(w.sessions)) {
		s := w.sessions[client]
		if client == w.publisher || !s.subscribed {
			continue
		}
		if s.fresh != uint64(len(w.sums)) {
			r.fail("the broker sent %d messages to %s, %d were published: the run is void", s.fresh, client, len(w.sums))
		}
		r.note("%s: %d connections, %d messages, %d sent again with DUP and %d without, at most %d unacknowledged", client, s.connects, s.fresh, s.again, s.plain, s.mostUnacked)
		r.note("  packet ids: %d used again, after %d messages at the least; %d sent again under an id whose message before had the same bytes; %d sent again behind something new",
			s.reused, s.shortest, s.twins, s.late)
	}
}

// checkCounters looks at what Leat counted over all lives.
func (r *run) checkCounters() {
	agent, cloud := r.site.agentView, r.site.cloudView
	now := agent.newest()
	for _, p := range []string{windowsTable, rowsTable} {
		if n := now.of("leat_agent_messages_total", p); n != uint64(r.report.Published) {
			r.fail("the agent counted %d messages of %s, %d were published", n, p, r.report.Published)
		}
	}
	for _, name := range []string{"leat_agent_rejects_total", "leat_agent_late_rows_total"} {
		if n := now.sum(name); n != 0 {
			r.fail("%s is %d", name, n)
		}
	}
	for _, name := range []string{
		"leat_gateway_frames_set_aside_total", "leat_gateway_streams_refused_total", "leat_worker_gaps_total",
		"leat_worker_mismatches_total", "leat_worker_fenced_total", "leat_worker_orphans_total", "leat_worker_undecoded_total",
	} {
		if n := cloud.total(name); n != 0 {
			r.fail("%s is %d", name, n)
		}
	}
	t := r.killer.tally()
	if t.redelivered == 0 || t.recognised == 0 && r.cfg.Kills >= manyKills {
		r.fail("the broker sent %d messages again and the agent recognised %d: the run has not met its fault", t.redelivered, t.recognised)
	}
	if t.found+t.resent == 0 {
		r.fail("no frame was sent again or found in the cloud: the run has not met its fault")
	}
	r.note("over all lives: %d messages sent again by the broker, %d recognised as committed; %d frames found durable without an acknowledgement, %d sent again, %d entries dropped by workers",
		t.redelivered, t.recognised, t.found, t.resent, t.duplicates)
	for _, d := range []*daemon{r.site.agent, r.site.cloud} {
		alarms, err := d.alarms()
		if err != nil {
			r.fail("%v", err)
		}
		for _, a := range alarms[:min(len(alarms), maxTold)] {
			r.fail("in the log: %s", a)
		}
	}
}

// stop ends the daemons as an operator does.
func (r *run) stop() error {
	return errors.Join(r.site.agent.stop(r.cfg.Settle), r.site.cloud.stop(r.cfg.Settle))
}

// Text gives the report but for the kills, which were printed as they came.
func (rep *Report) Text() string {
	var b strings.Builder
	counts := map[string]int{}
	for _, k := range rep.Kills {
		counts[k.Kind]++
	}
	fmt.Fprintf(&b, "seed %d: %d messages (%d different), %d kills (%d agent, %d cloud, %d both), %.1f s\n", rep.Seed, rep.Published, rep.Distinct,
		len(rep.Kills), counts["agent"], counts["cloud"], counts["both"], rep.Took.Seconds())
	for _, o := range rep.Observation {
		fmt.Fprintln(&b, o)
	}
	for _, f := range rep.Failures {
		fmt.Fprintln(&b, "FAILED:", f)
	}
	return b.String()
}
