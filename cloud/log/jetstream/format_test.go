package jetstream

import (
	"bytes"
	"encoding/hex"
	"flag"
	"log/slog"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func goldenHeads() []head {
	large := head{crc: 0x01020304, size: 5 << 20, chunks: 2}
	copy(large.id[:], "0123456789abcdef")
	return []head{{crc: checksum([]byte("hello")), size: 5, inline: []byte("hello")}, large}
}

// TestGoldenHeads holds the stored form of the heads of objects.
func TestGoldenHeads(t *testing.T) {
	const file = "testdata/heads.txt"
	var got []byte
	for _, h := range goldenHeads() {
		got = append(hex.AppendEncode(got, h.append(nil)), '\n')
	}
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("got\n%swant\n%s", got, want)
	}
}

func FuzzParseHead(f *testing.F) {
	for _, h := range goldenHeads() {
		f.Add(h.append(nil))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		h, err := parseHead(p)
		if err == nil && !bytes.Equal(h.append(nil), p) {
			t.Fatalf("%x is read as %+v", p, h)
		}
	})
}

func FuzzName(f *testing.F) {
	f.Add("a.b/ü=3d\x00")
	f.Fuzz(func(t *testing.T, name string) {
		token := encodeName(name)
		if got, err := decodeName(token); err != nil || got != name {
			t.Fatalf("%q became %q and %q, %v", name, token, got, err)
		}
		_, _ = decodeName(name) // any text: an error or not, never a panic
	})
}

// The server discourages the size of records on each start.
func TestOnlyWarningsThatMatterAreLogged(t *testing.T) {
	var out strings.Builder
	l := &serverLog{out: slog.New(slog.NewTextHandler(&out, nil))}
	l.Warnf("Maximum payloads over %v are generally discouraged and could lead to poor performance", "8.00 MB")
	l.Warnf("Filestore [%s] is slow", "x")
	if got := out.String(); strings.Contains(got, "discouraged") || !strings.Contains(got, "is slow") {
		t.Errorf("logged %q", got)
	}
}
