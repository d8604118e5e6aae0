package cli

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/leatio/leat/test/proc"
)

// The reference page names every metric of both daemons, and no other.
func TestMetrics(t *testing.T) {
	n := startNode(t)
	token, _ := n.token(t)
	const listen = "127.0.0.1:9464"
	proc.Free(t, listen)
	cmd := command(t, n.dir, "leat-agent", "--data-dir", "agent", "--name", "gateway", "--token", token)
	cmd.Env = append(cmd.Env, "LEAT_METRICS_LISTEN="+listen)
	proc.Start(t, "leat-agent", cmd).Says(t, patience, "connected to the cloud")
	pipeline := "name: simulated\nsource: {sim: {rate: 100}, format: json, schema: {device: string, temp: double}}\nsinks: [{table: {name: rows}}, {file: {path: rows.jsonl}, place: edge}]\n"
	if err := os.WriteFile(filepath.Join(n.dir, "pipeline.yaml"), []byte(pipeline), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run(t, n.dir, "leat", "--api", n.api, "apply", "pipeline.yaml"); r.Code != 0 {
		t.Fatal(r)
	}
	proc.Wait(t, patience, "metrics of a running pipeline", func() (bool, string) {
		got := metrics(t, "http://"+listen+"/metrics")
		return slices.Contains(got, "leat_agent_rows_total"), strings.Join(got, "\n")
	})
	served := slices.Concat(metrics(t, "http://"+listen+"/metrics"), metrics(t, "http://"+n.api+"/metrics"))
	slices.Sort(served)
	served = slices.Compact(served)

	var told []string
	page := read(t, filepath.Join(proc.Root(), "docs/reference/metrics.md"))
	for _, m := range regexp.MustCompile("(?m)^\\| `(leat_[a-z_]+)` \\|").FindAllStringSubmatch(page, -1) {
		told = append(told, m[1])
	}
	slices.Sort(told)
	if !slices.Equal(served, told) {
		t.Errorf("served:\n%s\nin the page:\n%s", strings.Join(served, "\n"), strings.Join(told, "\n"))
	}
}

// metrics gives the names of Leat's own metrics.
func metrics(t *testing.T, url string) []string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^(leat_[a-z_]+)`).FindAllStringSubmatch(string(text), -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return slices.Compact(out)
}
