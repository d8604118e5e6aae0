package file

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/leatio/leat/agent/sink"
)

func lines(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func deliver(t *testing.T, o *Outlet, payloads ...string) {
	t.Helper()
	var m []sink.Message
	for _, p := range payloads {
		m = append(m, sink.Message{Payload: []byte(p)})
	}
	if _, err := o.Deliver(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func TestAppendsLinesAndCutsWhatACrashLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	o := New(Config{Path: path})
	deliver(t, o, `{"a":1}`, `{"a":2}`)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{\"a\":1}\n{\"a\":2}\n{\"a\":"), 0o600); err != nil {
		t.Fatal(err)
	}
	o = New(Config{Path: path})
	deliver(t, o, `{"a":3}`)
	if got := lines(t, path); got != "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n" {
		t.Errorf("%q", got)
	}
	// Someone moves the file away, as logrotate does.
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	deliver(t, o, `{"a":4}`)
	if got := lines(t, path); got != "{\"a\":4}\n" {
		t.Errorf("%q", got)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	o := New(Config{Path: path, MaxBytes: 20})
	for _, p := range []string{"11111111", "22222222", "33333333", "44444444", "55555555"} {
		deliver(t, o, p)
	}
	if a, b := lines(t, path), lines(t, path+".1"); a != "55555555\n" || b != "33333333\n44444444\n" {
		t.Errorf("%q, before it %q", a, b)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestADirectoryThatIsNotThere(t *testing.T) {
	o := New(Config{Path: filepath.Join(t.TempDir(), "none", "rows.jsonl")})
	if _, err := o.Deliver(t.Context(), []sink.Message{{Payload: []byte("x")}}); err == nil {
		t.Error("no error")
	}
}
