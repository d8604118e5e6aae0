package local_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/agent/source/file"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/internal/local"
)

// dated gives messages that came at a fixed time.
type dated struct{ slowly }

func (d *dated) Take(c *source.Chunk, most int) {
	d.slowly.Take(c, most)
	for i := range c.Messages {
		c.Messages[i].ReceivedMicros = 1767366245_000000
	}
}

// TestFormatsPage runs the examples of docs/reference/formats.md.
func TestFormatsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```\n\n```input\n(.*?)```\n\n```output\n(.*?)```\n")
	found := example.FindAllStringSubmatch(string(page), -1)
	for _, m := range found {
		if strings.HasPrefix(m[1], "format: csv") {
			csvExample(t, m[1], m[2], m[3])
			continue
		}
		text := "name: example\nsource:\n  mqtt: {broker: \"tcp://nowhere:1883\", topics: [t]}\n"
		for line := range strings.Lines(m[1]) {
			text += "  " + line
		}
		p, err := compile.Compile([]byte(text+"sinks:\n  - stdout: {}\n"), compile.Options{File: "example.yaml", PipelineID: "e", Version: 1})
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		s := &dated{slowly{ready: make(chan struct{}, 1)}}
		for line := range strings.Lines(m[2]) {
			line = strings.TrimSuffix(line, "\n")
			if p.Source.Format == "cbor" {
				raw, err := hex.DecodeString(strings.ReplaceAll(line, " ", ""))
				if err != nil {
					t.Fatal(line, err)
				}
				line = string(raw)
			}
			s.rows = append(s.rows, line)
		}
		synctest.Test(t, func(t *testing.T) {
			s.ready = make(chan struct{}, 1)
			s.ready <- struct{}{}
			var out bytes.Buffer
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := local.Run(ctx, local.Config{Plan: p, Source: s, Stdout: &out, Reject: func(_ string, payload []byte, reason string) {
					t.Errorf("%s: %q: %s", p.Source.Format, payload, reason)
				}})
				done <- err
			}()
			synctest.Wait()
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if out.String() != m[3] {
				t.Errorf("%s gives\n%s\nthe page has\n%s", m[2], out.String(), m[3])
			}
		})
	}
	if len(found) != 7 {
		t.Errorf("%d examples were found", len(found))
	}
}

// csvExample runs the example of the format that only files have.
func csvExample(t *testing.T, spec, in, want string) {
	t.Helper()
	text := "name: example\nsource:\n  file: {path: \"-\"}\n"
	for line := range strings.Lines(spec) {
		text += "  " + line
	}
	p, err := compile.Compile([]byte(text+"sinks:\n  - stdout: {}\n"), compile.Options{File: "example.yaml", PipelineID: "e", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	src, err := file.New(file.Config{Paths: []string{file.Stdin}, CSV: true, Stdin: strings.NewReader(in)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	st, err := local.Run(t.Context(), local.Config{Plan: p, Source: src, Stdout: &out})
	if err != nil || st.Rejects != 0 || out.String() != want {
		t.Errorf("%v, %d rejects; csv gives\n%s\nthe page has\n%s", err, st.Rejects, out.String(), want)
	}
}
