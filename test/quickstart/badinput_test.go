package quickstart

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/api"
	"github.com/leatio/leat/test/proc"
)

// bad are messages that cannot be worked on, with the reason that the user reads.
func bad(now int64) []struct{ message, reason string } {
	at := func(format string) string { return fmt.Sprintf(format, now) }
	return []struct{ message, reason string }{
		{`{"device":"d","ts":`, "malformed JSON: unexpected end of JSON input at byte 19"},
		{"not JSON at all", "malformed JSON: invalid character 'o' in literal null (expecting 'u') at byte 2"},
		{at(`{"device":"d","ts":%d,"temp":"warm"}`), `column "temp": expected a number, found a string`},
		{at(`{"device":7,"ts":%d,"temp":20}`), `column "device": expected a string, found a number`},
		{`{"device":"d","temp":20}`, "no event time: the column is missing or null"},
		{`{"device":"d","ts":null,"temp":20}`, "no event time: the column is missing or null"},
		{`{"device":"d","ts":4102444800000,"temp":20}`, "event time is further in the future than max_future allows; check the sender's clock"},
		{`{"device":"d","ts":9e15,"temp":20}`, "event time is outside the years 1 to 9999; check the unit of the timestamp column"},
		{`{"device":"d","ts":99999999999999999999,"temp":20}`, `column "ts": number out of range`},
		{"[1]", "element 0: expected an object, found a number"},
		{"", "the message is empty"},
		{"\xff\xfe" + strings.Repeat("\x00", 400), "malformed JSON: invalid character 'ÿ' looking for beginning of value at byte 1"},
		{strings.Repeat("x", 400), "malformed JSON: invalid character 'x' looking for beginning of value at byte 1"},
	}
}

// badInput sends what cannot be worked on between readings that can, to the
// processes that the README's steps have started.
func (y *typist) badInput() {
	const topic = "greenhouse/bad/climate"
	now := time.Now().UnixMilli()
	window := now/10_000*10_000 - 10_000 // the window of ten seconds before this one
	good := func(i int) string {
		return fmt.Sprintf(`{"device":"good","ts":%d,"temp":%d,"humidity":40}`, window+int64(i), 10+i)
	}
	messages := bad(now)
	for i, m := range messages {
		y.publish(topic, m.message)
		y.publish(topic, good(i))
	}
	y.publish(topic, `{"device":"d","ts":0,"temp":20}`) // 1970: late
	y.publish(topic, fmt.Sprintf(`{"ts":%d,"temp":20}`, window))
	y.publish("nobody/listens", "x")
	// A reading from 20 seconds ahead, as of a fast clock, closes the windows.
	y.publish(topic, fmt.Sprintf(`{"device":"last","ts":%d,"temp":20}`, now+20_000))

	wantGood := fmt.Sprintf("good,%d,%v", len(messages), 10+float64(len(messages)-1)/2)
	proc.Wait(y.t, patience, "results of the good rows: "+wantGood, func() (bool, string) {
		got := y.query("SELECT device, n, temp_avg FROM climate_10s WHERE device = 'good'")
		return len(got) == 1 && got[0] == wantGood, fmt.Sprint(got)
	})
	if got := y.query("SELECT n, temp_avg FROM climate_10s WHERE device IS NULL"); len(got) != 1 || got[0] != "1,20" {
		y.t.Errorf("the row without a device gave %v", got)
	}
	y.checkRejects(topic, messages)
	y.checkCounts(len(messages))
}

// checkRejects compares the table with what was sent.
func (y *typist) checkRejects(topic string, messages []struct{ message, reason string }) {
	got := y.query(fmt.Sprintf("SELECT topic, reason, sample FROM rejects WHERE topic = '%s'", topic))
	var want []string
	for _, m := range messages {
		sample := m.message[:min(len(m.message), 256)]
		if strings.HasPrefix(sample, "\xff") {
			sample = fmt.Sprintf(`\x%x`, sample) // bytes that are no text
		}
		want = append(want, topic+","+m.reason+","+sample)
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(got) != len(want) {
		y.t.Errorf("%d rejects instead of %d: %q", len(got), len(want), got)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			y.t.Errorf("reject %d\ngot  %q\nwant %q", i, got[i], want[i])
		}
	}
}

// checkCounts looks at what the agent counted, with the README's own bad reading and its 60 good ones.
func (y *typist) checkCounts(bads int) {
	const others = 3   // 1970, without a device, last
	const untimely = 4 // rows that could be read but for their event time
	want := fmt.Sprintf("rows %d rejects %d late 1", 60+bads+others+untimely, 1+bads)
	proc.Wait(y.t, patience, want, func() (bool, string) {
		var fleet []struct {
			Pipelines []struct {
				Rows    int `json:"rows"`
				Rejects int `json:"rejects"`
				Late    int `json:"late_rows"`
			} `json:"pipelines"`
		}
		if err := json.Unmarshal([]byte(y.run("leat fleet ls -o json")), &fleet); err != nil || len(fleet) != 1 || len(fleet[0].Pipelines) != 1 {
			y.t.Fatalf("%v in %v", err, fleet)
		}
		p := fleet[0].Pipelines[0]
		got := fmt.Sprintf("rows %d rejects %d late %d", p.Rows, p.Rejects, p.Late)
		return got == want, got
	})
}

func (y *typist) publish(topic, message string) {
	y.t.Helper()
	cmd := exec.Command("mosquitto_pub", "-q", "1", "-t", topic, "-s")
	if message == "" {
		cmd = exec.Command("mosquitto_pub", "-q", "1", "-t", topic, "-n")
	}
	cmd.Stdin = strings.NewReader(message)
	if r := proc.Run(y.t, patience, cmd); r.Code != 0 {
		y.t.Fatalf("mosquitto_pub: %d %s", r.Code, r.Err)
	}
}

// query gives the rows of an answer, values joined by commas.
func (y *typist) query(sql string) []string {
	y.t.Helper()
	return query(y.t, "127.0.0.1:4751", sql)
}

func query(t *testing.T, addr, sql string) []string {
	t.Helper()
	node, err := api.NewClient(addr, "")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := node.Query(t.Context(), api.Query{SQL: sql})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var out []string
	for _, row := range answer.Rows {
		var cells []string
		for _, v := range row {
			cells = append(cells, fmt.Sprint(v))
		}
		out = append(out, strings.Join(cells, ","))
	}
	return out
}
