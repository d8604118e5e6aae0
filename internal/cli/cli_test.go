package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
)

func TestText(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"failure", errors.New("no node"), "leat: no node"},
		{"failure of several lines", errors.Join(errors.New("a: b"), errors.New("c")), "leat: a: b; c"},
		{"mistake", Mistake(errors.New("unknown flag: --x")), "leat: unknown flag: --x"},
		{"mistakes with places", Mistake(errors.New("my file.yaml:1:2: a\nmy file.yaml:2:3: b")), "my file.yaml:1:2: a\nmy file.yaml:2:3: b"},
		{"variable", Mistake(errors.New("LEAT_API: b")), "LEAT_API: b"},
		{"flag", Mistake(errors.New("--data-dir: b")), "--data-dir: b"},
		{"something in quotes", Mistake(errors.New(`":::" is not an address`)), `leat: ":::" is not an address`},
	}
	for _, tt := range tests {
		if got := text("leat", tt.err); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if Mistake(nil) != nil {
		t.Error("no error became a mistake")
	}
}

func TestTalk(t *testing.T) {
	var b bytes.Buffer
	log := Talk(&b, "leat")
	log.Debug("unseen")
	log.Info("connected", "to", "here")
	log.With("pipeline", "p").WithGroup("g").Warn("slow", slog.Int("ms", 3))
	want := "leat: connected to=here\nleat: slow pipeline=p ms=3\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
