package crash

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// metrics are the series of one scrape, by name with labels.
type metrics map[string]float64

// sum adds the series of a name, over all labels.
func (m metrics) sum(name string) uint64 {
	var total float64
	for series, v := range m {
		if base, _, _ := strings.Cut(series, "{"); base == name {
			total += v
		}
	}
	return uint64(total)
}

// of gives the series of a name whose label pipeline is so.
func (m metrics) of(name, pipeline string) uint64 {
	for series, v := range m {
		if strings.HasPrefix(series, name+"{") && strings.Contains(series, fmt.Sprintf("pipeline=%q", pipeline)) {
			return uint64(v)
		}
	}
	return 0
}

func parseMetrics(r io.Reader) (metrics, error) {
	m := metrics{}
	s := bufio.NewScanner(r)
	for s.Scan() {
		series, value, ok := strings.Cut(s.Text(), " ")
		if !ok || strings.HasPrefix(series, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			m[series] = v
		}
	}
	return m, s.Err()
}

// scraper reads the metrics of a daemon, and adds its counters up over its lives.
type scraper struct {
	url    string
	client *http.Client
	daemon *daemon

	mu     sync.Mutex
	last   metrics // of the life that it was read from
	life   int
	before map[string]uint64 // by name: sums of earlier lives
}

func newScraper(url string, d *daemon) *scraper {
	return &scraper{
		url: url, daemon: d, before: map[string]uint64{},
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

// scrape reads the metrics now.
func (s *scraper) scrape(ctx context.Context) (_ metrics, err error) {
	life := s.daemon.life()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	m, err := parseMetrics(resp.Body)
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.url, err)
	}
	if s.daemon.life() != life {
		return nil, fmt.Errorf("read %s: the process was started anew meanwhile", s.url)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life != life {
		for _, name := range livedCounters {
			s.before[name] += s.last.sum(name)
		}
		s.life = life
	}
	s.last = m
	return m, nil
}

// livedCounters begin anew with each life.
var livedCounters = []string{
	"leat_agent_redeliveries_total", "leat_agent_frames_resent_total", "leat_agent_frames_found_durable_total",
	"leat_gateway_frames_total", "leat_gateway_frames_set_aside_total", "leat_gateway_streams_refused_total",
	"leat_worker_duplicates_total", "leat_worker_gaps_total", "leat_worker_mismatches_total", "leat_worker_fenced_total",
	"leat_worker_orphans_total", "leat_worker_undecoded_total", "leat_worker_records_total",
}

// total is a lived counter over all lives, as far as it was read.
func (s *scraper) total(name string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.before[name] + s.last.sum(name)
}

// newest gives the last scrape.
func (s *scraper) newest() metrics {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// poll scrapes every so often until ctx ends; a process that does not answer is being killed or started.
func (s *scraper) poll(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _ = s.scrape(ctx)
		}
	}
}
