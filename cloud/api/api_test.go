package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/leatio/leat/cloud/api"
	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/engine/compile"
)

// node answers the calls of the tests.
type node struct{ api.Node }

func (node) Query(_ context.Context, q api.Query) (*api.Result, error) {
	switch {
	case strings.HasPrefix(q.SQL, "DELETE"):
		return nil, sink.ErrQuery
	default:
		return &api.Result{Columns: []string{"a"}, Rows: [][]any{{1.5}}}, nil
	}
}

func (node) Apply(_ context.Context, a control.Apply) (*control.Pipeline, bool, error) {
	if a.File == "bad" {
		return nil, false, compile.Mistakes{{File: a.FileName, Line: 3, Column: 7, What: "it is wrong", Expected: "right"}}
	}
	return &control.Pipeline{Name: "p", Version: 4}, true, nil
}

func (node) Pipeline(_ context.Context, name string) (*control.Pipeline, error) {
	return nil, control.ErrNotFound
}
func (node) WriteMetrics(w io.Writer) { _, _ = io.WriteString(w, "leat_x 1\n") }

func (node) PutModule(_ context.Context, code []byte) (string, *compile.ModuleInfo, error) {
	return "", nil, errors.New("the module lacks the export leat_call")
}

func serve(t *testing.T, token string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(api.Handler(node{}, token, slog.New(slog.DiscardHandler)))
	t.Cleanup(s.Close)
	return s
}

func TestClientAndServerAgree(t *testing.T) {
	s := serve(t, "")
	c, err := api.NewClient(s.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.Query(t.Context(), api.Query{SQL: "SELECT 1"}); err != nil || len(r.Rows) != 1 {
		t.Errorf("query: %+v, %v", r, err)
	}
	if _, err := c.Query(t.Context(), api.Query{SQL: "DELETE FROM t"}); err == nil || !strings.Contains(err.Error(), sink.ErrQuery.Error()) {
		t.Errorf("a refused query gave %v", err)
	}
	if a, err := c.Apply(t.Context(), "f.yaml", "good", nil, nil); err != nil || !a.Changed || a.Pipeline.Version != 4 {
		t.Errorf("apply: %+v, %v", a, err)
	}
	_, err = c.Apply(t.Context(), "f.yaml", "bad", nil, nil)
	var m compile.Mistakes
	if !errors.As(err, &m) || m[0].Error() != "f.yaml:3:7: it is wrong, expected right" {
		t.Errorf("mistakes came back as %v", err)
	}
	if _, err := c.Apply(t.Context(), "f.yaml", "good", map[string][]byte{"f.wasm": []byte("x")}, nil); err == nil || !strings.Contains(err.Error(), "leat_call") {
		t.Errorf("a refused module gave %v", err)
	}
	if _, err := c.Pipeline(t.Context(), "a/b"); err == nil {
		t.Error("a pipeline that is not there was found")
	}
	s.Close()
	if _, err := c.Status(t.Context()); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("nobody there gave %v", err)
	}
}

func TestWhoIsServed(t *testing.T) {
	open, closed := serve(t, ""), serve(t, "s3cret")
	cases := []struct {
		name   string
		server *httptest.Server
		change func(*http.Request)
		want   int
	}{
		{"loopback", open, func(*http.Request) {}, 200},
		{"localhost", open, func(r *http.Request) { r.Host = "localhost:1" }, 200},
		{"a name that resolves here", open, func(r *http.Request) { r.Host = "evil.example" }, 401},
		{"a web page", open, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 401},
		{"no token", closed, func(*http.Request) {}, 401},
		{"wrong token", closed, func(r *http.Request) { r.Header.Set("Authorization", "Bearer s3cre") }, 401},
		{"token", closed, func(r *http.Request) { r.Header.Set("Authorization", "Bearer s3cret") }, 200},
	}
	for _, c := range cases {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.server.URL+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.change(r)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != c.want {
			t.Errorf("%s: status %d, want %d", c.name, resp.StatusCode, c.want)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBadRequests(t *testing.T) {
	s := serve(t, "")
	for name, c := range map[string]struct {
		method, path, body string
		want               int
	}{
		"unknown call":   {"GET", "/v1/nothing", "", 404},
		"path tricks":    {"GET", "/v1/pipelines/..%2f..%2fca", "", 404},
		"wrong method":   {"DELETE", "/v1/query", "", 404},
		"not JSON":       {"POST", "/v1/query", "{", 400},
		"unknown field":  {"POST", "/v1/query", `{"sql":"SELECT 1","admin":true}`, 400},
		"huge body":      {"POST", "/v1/query", `{"sql":"` + strings.Repeat("x", 3<<20) + `"}`, 413},
		"wrong checksum": {"PUT", "/v1/modules/00", "x", 400},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, bytes.NewReader([]byte(c.body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.Body.Close() != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != c.want || !strings.Contains(string(body), `"error"`) {
			t.Errorf("%s: status %d, want %d: %.200s", name, resp.StatusCode, c.want, body)
		}
	}
}
