package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/test/proc"
)

const placed = `
name: placed
source: {sim: {devices: 2, rate: 50}, format: json, schema: {device: string, temp: double}}
steps:
  - lookup: {SOURCE, on: {device: id}, add: [site], schema: {id: string, site: string}, refresh: 1s}
  - changed: {by: [device], columns: [site]}
sinks: [{table: {name: TABLE}}]
`

// A reference table reaches the gateway, new content of its file with the next
// apply, and new rows of a result table by themselves.
func TestLookupOnAFleet(t *testing.T) {
	n := startNode(t)
	token, _ := n.token(t)
	cmd := command(t, n.dir, "leat-agent", "--data-dir", "agent", "--name", "gateway", "--token", token)
	proc.Start(t, "leat-agent", cmd).Says(t, patience, "connected to the cloud")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	apply := func(name string) {
		t.Helper()
		if r := run(t, n.dir, "leat", "--api", n.api, "apply", name); r.Code != 0 {
			t.Fatal(r)
		}
	}
	wait := func(query, want string) {
		t.Helper()
		proc.Wait(t, patience, want+" from "+query, func() (bool, string) {
			r := run(t, n.dir, "leat", "--api", n.api, "query", query)
			return strings.Contains(r.Out, want), r.Out + r.Err
		})
	}
	write("placed.yaml", strings.NewReplacer("SOURCE", "file: sites.csv", "TABLE", "places").Replace(placed))
	write("sites.csv", "id,site\ndev-0000,north\ndev-0001,south\n")
	apply("placed.yaml")
	wait("SELECT device, site FROM places", "north")
	write("sites.csv", "id,site\ndev-0000,harbour\ndev-0001,south\n")
	apply("placed.yaml")
	wait("SELECT device, site FROM places", "harbour")
	// Another pipeline takes the first one's results for its reference table.
	again := strings.NewReplacer("name: placed", "name: again", "SOURCE", "table: sites", "TABLE", "found").Replace(placed)
	write("again.yaml", again)
	if r := run(t, n.dir, "leat", "--api", n.api, "apply", "again.yaml"); r.Code != 2 || !strings.Contains(r.Err, "again.yaml:5:21: reference table \"sites\": ") || !strings.Contains(r.Err, "no such table") {
		t.Errorf("a result table that is not there: %+v", r)
	}
	write("sites.yaml", "name: sites\nsource: {sim: {devices: 2, rate: 50}, format: json, schema: {device: string, temp: double}}\n"+
		"steps: [{select: {id: device, site: \"upper(device)\"}}, {changed: {by: [id], columns: [site]}}]\nsinks: [{table: {name: sites}}]\n")
	apply("sites.yaml")
	wait("SELECT count(*) FROM sites", "2")
	apply("again.yaml")
	wait("SELECT site FROM found", "DEV-0001")
}

// A pipeline may end on the gateway altogether: the cloud only hands it out.
func TestPipelineThatEndsOnTheGateway(t *testing.T) {
	n := startNode(t)
	token, _ := n.token(t)
	cmd := command(t, n.dir, "leat-agent", "--data-dir", "agent", "--name", "gateway", "--token", token)
	proc.Start(t, "leat-agent", cmd).Says(t, patience, "connected to the cloud")
	text := "name: here\nsource: {sim: {devices: 2, rate: 50}, format: json, schema: {device: string, temp: double}}\nsinks: [{file: {path: rows.jsonl}, place: edge}]\n"
	if err := os.WriteFile(filepath.Join(n.dir, "here.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run(t, n.dir, "leat", "--api", n.api, "apply", "here.yaml"); r.Code != 0 {
		t.Fatal(r)
	}
	proc.Wait(t, patience, "rows on the gateway", func() (bool, string) {
		b, err := os.ReadFile(filepath.Join(n.dir, "agent", "rows.jsonl"))
		return strings.Count(string(b), `"device":`) > 10, fmt.Sprint(string(b), err)
	})
	proc.Wait(t, patience, "here: running", func() (bool, string) {
		r := run(t, n.dir, "leat", "--api", n.api, "fleet", "ls")
		return strings.Contains(r.Out, "here: running"), r.Out + r.Err
	})
}
