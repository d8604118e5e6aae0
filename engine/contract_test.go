package engine_test

import (
	"fmt"
	"strings"
	"testing"
)

// stepCases are steps that may stand on either tier.
var stepCases = map[string]string{
	"alert":        `alert: {by: [device], when: temp > 5, for: 3s, clear: temp < 3, silent: 20s}`,
	"changed":      `changed: {by: [device], columns: [temp, state], deadband: {temp: 1}, heartbeat: 30s}`,
	"sample":       `sample: {by: [device], every: 10s}`,
	"dedupe":       `dedupe: {by: [device, state], within: 15s}`,
	"lookup, keep": `lookup: {file: sites.csv, on: {device: id}, add: [site, limit_c], schema: {id: string, site: string, limit_c: double}}`,
	"lookup, drop": `lookup: {file: sites.csv, on: {device: id}, add: [site], schema: {id: string, site: string, limit_c: double}, missing: drop}`,
}

func placed(step, place string) string {
	return fmt.Sprintf("steps:\n  - where: state <> 'x'\n  - %s\n    place: %s\nsinks: [table: {name: t}]\n", step, place)
}

// TestAStepGivesTheSameOnBothTiers compares a step on the edge with the same in the cloud.
func TestAStepGivesTheSameOnBothTiers(t *testing.T) {
	for name, step := range stepCases {
		for seed := range uint64(4) {
			rows := rowsOf(seed, 400)
			edge := newWorld(t, compiled(t, placed(step, "edge")), eachRow()).run(rows)["t"]
			cloud := newWorld(t, compiled(t, placed(step, "cloud")), eachRow()).run(rows)["t"]
			if len(edge) == 0 {
				t.Fatalf("%s gives nothing", name)
			}
			diff(t, name, cloud, edge)
		}
	}
}

// TestAStepDoesNotDependOnBatchesAndFrames holds for steps on the edge, which
// know the watermark before each row.
func TestAStepDoesNotDependOnBatchesAndFrames(t *testing.T) {
	for name, step := range stepCases {
		p := compiled(t, placed(step, "edge"))
		for seed := range uint64(4) {
			rows := rowsOf(seed, 400)
			want := newWorld(t, p, eachRow()).run(rows)["t"]
			diff(t, name, newWorld(t, p, anyhow(seed)).run(rows)["t"], want)
			how := anyhow(seed)
			how.restarts = true
			diff(t, name+", restarts", newWorld(t, p, how).run(rows)["t"], want)
		}
	}
}

const branches = `steps:
  - where: temp IS NULL OR temp < 8
  - add: {double: temp * 2, hot: temp > 5}
branches:
  alarms:
    steps:
      - alert: {by: [device], when: hot, for: 2s, silent: 30s}
      - changed: {by: [device], columns: [alert]}
    sinks:
      - file: {path: alarms.jsonl}
        place: edge
      - table: {name: alarms}
  windows:
    steps:
      - window:
          by: [device]
          windows: [{tumbling: 10s}, {hopping: {size: 30s, every: 10s}}]
          allowed_lateness: 10s
          late:
            - table: {name: lates}
            - file: {path: late.jsonl}
              place: edge
          emit: {n: count(*), total: sum(double), last: last(state)}
      - where: n <> 4 AND last <> 'x'
      - add: {share: "1000 / (n - 6)"}
      - where: total < 60
      - lookup: {file: sites.csv, on: {device: id}, add: [site], schema: {id: string, site: string, limit_c: double}, missing: drop}
    sinks: [table: {name: windows}]
  chain:
    steps:
      - window: {by: [device, state], tumbling: 5s, allowed_lateness: 10s, emit: {n: count(*)}}
      - where: n < 2
      - window: {by: [state], tumbling: 1m, emit: {devices: count(*), n: sum(n)}}
    sinks: [table: {name: chain}]
  local:
    steps:
      - window: {by: [device], tumbling: 10s, allowed_lateness: 10s, early: 3s, emit: {n: count(*), total: sum(double)}}
        place: edge
      - where: n <> 2
    sinks:
      - file: {path: local.jsonl}
        place: edge
  sessions:
    steps:
      - window: {by: [device], session: {gap: 6s}, allowed_lateness: 10s, emit: {n: count(*)}}
        place: edge
    sinks:
      - file: {path: sessions.jsonl}
        place: edge
  forwarded:
    steps:
      - window: {by: [device], tumbling: 10s, allowed_lateness: 10s, emit: {n: count(*), total: sum(double)}}
        place: cloud
      - where: n <> 2
    sinks: [table: {name: forwarded}]
  deduped:
    steps:
      - dedupe: {by: [device, state], within: 15s}
    sinks: [table: {name: deduped}]
`

// tableKeys tell the rows of tables of results apart; the others hold rows as they came.
var tableKeys = map[string][]string{
	"windows": {"window_start", "window_end", "device"}, "chain": {"window_start", "window_end", "state"},
	"local.jsonl": {"window_start", "window_end", "device"}, "sessions.jsonl": {"window_start", "window_end", "device"},
	"forwarded": {"window_start", "window_end", "device"},
}

// TestTablesDoNotDependOnSchedules runs everything at once, in frames of some ports at any time.
func TestTablesDoNotDependOnSchedules(t *testing.T) {
	p := compiled(t, branches)
	for seed := range uint64(4) {
		rows := rowsOf(seed, 500)
		want := newWorld(t, p, eachRow()).run(rows)
		if got := newWorld(t, p, schedule{batch: 1, flush: 1, lastOnly: true}).run(rows); len(got) != 10 {
			t.Fatalf("%d sinks", len(got))
		}
		for name, how := range map[string]func(s *schedule){
			"frames of all ports":  func(s *schedule) {},
			"frames of some ports": func(s *schedule) { s.some = true },
			"restarts":             func(s *schedule) { s.some, s.restarts = true, true },
			"a bounded run":        func(s *schedule) { s.lastOnly = true },
		} {
			s := anyhow(seed)
			how(&s)
			w := newWorld(t, p, s)
			got := w.run(rows)
			if n := w.cloud.TooLate(); n > 0 {
				t.Fatalf("%s: %d partials came too late", name, n)
			}
			for sink, lines := range want {
				if keys := tableKeys[sink]; keys != nil {
					diff(t, fmt.Sprintf("seed %d, %s, %s", seed, name, sink), tableOf(got[sink], keys...), tableOf(lines, keys...))
				} else if sink != "deduped" { // judged by the watermark of the cloud, which moves with frames
					diff(t, fmt.Sprintf("seed %d, %s, %s", seed, name, sink), got[sink], lines)
				}
			}
		}
	}
}

// TestARestartChangesNothing compares all that sinks are given, in order, with
// and without restarts of both tiers on the same schedule.
func TestARestartChangesNothing(t *testing.T) {
	p := compiled(t, branches)
	for seed := range uint64(4) {
		rows := rowsOf(seed, 500)
		plain, again := anyhow(seed), anyhow(seed)
		plain.some, again.some = false, false
		plain.flush, again.flush = 1, 1
		plain.batch, again.batch = 1, 1
		again.restarts = true
		want := newWorld(t, p, plain).run(rows)
		got := newWorld(t, p, again).run(rows)
		for sink := range want {
			diff(t, fmt.Sprintf("seed %d, %s", seed, sink), got[sink], want[sink])
		}
	}
}

// TestAWindowGivesTheSameEverywhere compares a window that ends on the edge,
// one of forwarded rows and the usual one.
func TestAWindowGivesTheSameEverywhere(t *testing.T) {
	p := compiled(t, branches)
	usual := compiled(t, strings.Replace(branches, "        place: cloud\n", "", 1))
	for seed := range uint64(4) {
		rows := rowsOf(seed, 500)
		got := newWorld(t, p, anyhow(seed)).run(rows)
		k := tableKeys["local.jsonl"]
		diff(t, "forwarded rows", tableOf(got["forwarded"], k...), tableOf(newWorld(t, usual, anyhow(seed)).run(rows)["forwarded"], k...))
		diff(t, "on the edge", tableOf(got["local.jsonl"], k...), tableOf(got["forwarded"], k...))
	}
}

// TestLateRowsGoWhereThePlanSays counts them against the windows that they missed.
func TestLateRowsGoWhereThePlanSays(t *testing.T) {
	p := compiled(t, branches)
	rows := rowsOf(1, 800)
	w := newWorld(t, p, anyhow(1))
	got := w.run(rows)
	diff(t, "both sinks", got["late.jsonl"], got["lates"])
	wm, want := int64(-1), []string(nil)
	for _, r := range rows {
		if r.temp < 0 || r.temp < 8 {
			missed := 0
			for _, size := range []int64{10, 30} {
				for end := r.ts - r.ts%(10*second) + 10*second; end <= r.ts-r.ts%(10*second)+size*second; end += 10 * second {
					if end-size*second <= r.ts && end+10*second <= wm {
						missed++
					}
				}
			}
			if missed > 0 {
				want = append(want, fmt.Sprintf("%s %d %d", r.device, r.ts, missed))
			}
		}
		wm = max(wm, r.ts-4*second)
	}
	var have []string
	for _, l := range got["lates"] {
		f := map[string]string{}
		for _, kv := range strings.Fields(l) {
			k, v, _ := strings.Cut(kv, "=")
			f[k] = v
		}
		have = append(have, fmt.Sprintf("%s %s %s", f["device"], f["ts"], f["_late_for"]))
	}
	if len(want) < 10 {
		t.Fatalf("only %d late rows", len(want))
	}
	diff(t, "late rows", have, want)
}
