package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/agent/source/file"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/local"
)

// closing comes last, a year later, so that every window before it has ended.
const closing = `{"device":"closing","ts":1731536000000,"zone":9,"temp":99}`

// liveSteps are steps over a world's rows whose results may change while they run.
func liveSteps(rng *rand.Rand, w *world) string {
	window := []string{
		fmt.Sprintf("tumbling: %dms", w.size), fmt.Sprintf("hopping: {size: %dms, every: %dms}", 3*w.size, w.size),
		fmt.Sprintf("cumulative: {size: %dms, step: %dms}", 4*w.size, w.size), fmt.Sprintf("session: {gap: %dms}", w.size/4),
		fmt.Sprintf("windows: [{tumbling: %dms}, {hopping: {size: %dms, every: %dms}}]", w.size, 2*w.size, w.size),
	}[rng.IntN(5)]
	steps := fmt.Sprintf(`
  - window:
      by: [%s]
      %s
      allowed_lateness: %dms
      emit: {n: count(*), total: sum(temp), low: min(temp), newest: last(temp)}
`, strings.Join(w.keys, ", "), window, w.lateness)
	if rng.IntN(2) == 0 { // what passes at first may not pass later
		steps += fmt.Sprintf("  - where: n < %d AND total < %d\n", 2+rng.IntN(20), 100+rng.IntN(300))
	}
	if rng.IntN(3) == 0 && !strings.HasPrefix(window, "session") {
		steps += fmt.Sprintf("  - window: {tumbling: %dms, emit: {windows: count(*), most: max(n)}}\n", 10*w.size)
	}
	return steps
}

// TestBatchAndStreamAreOne runs yesterday's rows from a file, and lets them come one after the other: when
// every window has ended, the results that stand are the same.
func TestBatchAndStreamAreOne(t *testing.T) {
	var revised, deleted int
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 11))
		w := newWorld(rng)
		if len(w.lines) > 800 {
			w.lines = w.lines[:800]
		}
		head, rest, _ := strings.Cut(w.pipeline(), "  - window:")
		_, sinks, _ := strings.Cut(rest, "sinks:")
		text := head + liveSteps(rng, w) + "sinks:" + sinks
		p, err := compile.Compile([]byte(text), compile.Options{File: "w.yaml", PipelineID: "w", Version: 1})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		batch := fromFile(t, p, append(slices.Clip(w.lines), closing))
		stream, r, d := whatStands(t, live(t, p, rng, w.lines))
		revised, deleted = revised+r, deleted+d
		if want := slices.Sorted(slices.Values(batch)); !slices.Equal(stream, want) {
			t.Fatalf("seed %d: the stream's results differ from the file's: %s\n%s", seed, firstDifference(stream, want), text)
		}
	}
	if revised == 0 || deleted == 0 {
		t.Errorf("%d results were revised and %d deleted: too tame", revised, deleted)
	}
}

// fromFile gives the results but those of the closing row.
func fromFile(t *testing.T, p *plan.Plan, rows []string) (results []string) {
	t.Helper()
	src, err := file.New(file.Config{Paths: []string{file.Stdin}, Stdin: strings.NewReader(strings.Join(rows, "\n"))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := local.Run(t.Context(), local.Config{Plan: p, Source: src, Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if !late(line) {
			results = append(results, strings.TrimSuffix(line, "\n"))
		}
	}
	return results
}

// late tells whether a result is of the closing row, whose windows a live run never sees the end of.
func late(line string) bool { return strings.Contains(line, `"window_end":"2024-11-`) }

// live runs the pipeline over a source without an end that gives rows a few at a time, and stops it some time after the last.
func live(t *testing.T, p *plan.Plan, rng *rand.Rand, rows []string) (out string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p.Source.Kind = &plan.Source_Mqtt{Mqtt: &plan.MqttSource{Broker: "tcp://nowhere:1883", Topics: []string{"t"}}}
		s := &slowly{ready: make(chan struct{}, 1)}
		var written bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := local.Run(ctx, local.Config{Plan: p, Source: s, Stdout: &written})
			done <- err
		}()
		for rest := append(slices.Clip(rows), closing); len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(60))
			s.rows, rest = rest[:n], rest[n:]
			s.ready <- struct{}{}
			synctest.Wait() // until they are worked on
			time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		out = written.String()
	})
	return out
}

// slowly is a source that has what a test puts into it while nothing else runs.
type slowly struct {
	rows  []string
	ready chan struct{}
}

func (s *slowly) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (s *slowly) Ready() <-chan struct{}        { return s.ready }
func (s *slowly) Connected() bool               { return true }
func (s *slowly) Status() source.Status         { return source.Status{} }
func (s *slowly) Take(c *source.Chunk, _ int) {
	c.Reset()
	for _, row := range s.rows {
		c.Messages = append(c.Messages, source.Message{Topic: "t", Payload: []byte(row)})
	}
	s.rows, c.Dry = nil, true
}

// whatStands plays results: a later one of a window and key takes the place of the one before, or deletes it.
func whatStands(t *testing.T, out string) (lines []string, revised, deleted int) {
	t.Helper()
	stand := map[string]string{}
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		key := fmt.Sprint(row["window_start"], row["window_end"], row["device"], row["zone"])
		if row["_deleted"] == true {
			delete(stand, key)
			deleted++
			continue
		}
		if stand[key] != "" {
			revised++
		}
		if stand[key] = line; late(line) {
			delete(stand, key)
		}
	}
	for _, line := range stand {
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines, revised, deleted
}
