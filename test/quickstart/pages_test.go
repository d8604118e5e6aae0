package quickstart

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/leatio/leat/test/proc"
)

// write writes the file that a block holds, if any.
func (y *typist) write(b block) bool {
	y.t.Helper()
	if b.file == "" {
		return false
	}
	if err := os.WriteFile(filepath.Join(y.dir, b.file), []byte(b.text), 0o600); err != nil {
		y.t.Fatal(err)
	}
	return true
}

// console types the commands of a block behind "$ " and compares what the page shows behind them.
func (y *typist) console(b block) {
	y.t.Helper()
	for _, part := range strings.Split("\n"+b.text, "\n$ ")[1:] {
		command, shown, _ := strings.Cut(part, "\n")
		r := proc.Run(y.t, patience, y.shell("exec 2>&1\n"+command))
		if strings.TrimSpace(r.Out) != strings.TrimSpace(shown) {
			y.t.Errorf("$ %s\n%sthe page shows:\n%s", command, r.Out, shown)
		}
	}
}

func newTypist(t *testing.T) *typist {
	return &typist{t: t, dir: t.TempDir(), home: t.TempDir(), path: "export PATH=" + proc.Bin() + ":$PATH\n"}
}

func TestFirstPipeline(t *testing.T) {
	y := newTypist(t)
	consoles := 0
	for _, b := range section(t, "docs/how-to/first-pipeline.md", "") {
		switch {
		case y.write(b):
		case b.language == "console":
			y.console(b)
			consoles++
		case b.language == "sh":
			y.run(b.text)
		}
	}
	if consoles < 2 {
		t.Errorf("the page shows %d commands with their output", consoles)
	}
}

func TestTestAndChange(t *testing.T) {
	y := newTypist(t)
	consoles := 0
	for _, b := range section(t, "docs/how-to/test-and-change-a-pipeline.md", "") {
		if !y.write(b) && b.language == "console" {
			y.console(b)
			consoles++
		}
	}
	if consoles < 4 {
		t.Errorf("the page shows %d commands with their output", consoles)
	}
}

func TestRunOfTheREADME(t *testing.T) {
	y := &typist{t: t, dir: clone(t), home: t.TempDir()}
	typed := 0
	for _, b := range section(t, "README.md", "What it is for") {
		if b.language == "sh" {
			typed++
			if got := y.run(b.text); got != read(t, filepath.Join(proc.Root(), "examples/climate/expected.jsonl")) {
				t.Errorf("%sgave\n%s", b.text, got)
			}
		}
	}
	if typed != 1 {
		t.Errorf("%d commands were typed", typed)
	}
}

func TestBrokerWithTLS(t *testing.T) {
	proc.Need(t, "mosquitto", "mosquitto")
	proc.Need(t, "mosquitto_pub", "mosquitto-clients")
	proc.Need(t, "openssl", "openssl")
	proc.Free(t, "127.0.0.1:8883")
	const page = "docs/how-to/connect-a-broker-with-tls.md"
	y := newTypist(t)
	var live *proc.Process
	for _, b := range section(t, page, "") {
		switch {
		case y.write(b):
		case strings.HasPrefix(b.text, "mosquitto -c "):
			y.startTLSBroker(b)
		case strings.Contains(b.text, "\nleat run "):
			live = proc.Start(t, "leat run", y.shell(b.text))
			live.Says(t, patience, "connected to ssl://localhost:8883, subscribed to 1 topics")
		case b.language == "sh":
			y.run(b.text)
		case b.language == "json":
			live.Says(t, patience, "\n"+b.text)
		}
	}
	if live == nil {
		t.Fatal("the page no longer runs a pipeline")
	}
	live.Stop(patience)
	y.tlsMistakes(page)
}

// startTLSBroker starts mosquitto as the page says. As root mosquitto would become
// another user, who cannot read the test's directory.
func (y *typist) startTLSBroker(b block) {
	y.t.Helper()
	if os.Getuid() == 0 {
		y.run("echo 'user root' >> mosquitto.conf")
	}
	b.text = "export PATH=$PATH:/usr/sbin\n" + b.text
	proc.Start(y.t, "mosquitto", y.shell(b.text))
	proc.Wait(y.t, patience, "broker on port 8883", reachable("127.0.0.1:8883"))
}

// tlsMistakes makes the mistakes of the page's table and looks for the messages that stand there.
func (y *typist) tlsMistakes(page string) {
	y.t.Helper()
	text := read(y.t, filepath.Join(proc.Root(), page))
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]+ \\|$")
	edits := map[string]string{
		"unknown authority":         "sed -i /ca_file/d x.yaml",
		"any IP SANs":               "sed -i s/localhost:8883/127.0.0.1:8883/ x.yaml",
		"closed the connection":     "sed -i 's/ssl:/tcp:/; /ca_file/d' x.yaml",
		"not authorised":            "export LEAT_SECRET_MQTT=wrong",
		"open nope.crt":             "sed -i s/ca.crt/nope.crt/ x.yaml",
		"not known on this machine": "unset LEAT_SECRET_MQTT",
	}
	tried := 0
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		for part, edit := range edits {
			if strings.Contains(m[1], part) {
				p := proc.Start(y.t, part, y.shell("export LEAT_SECRET_MQTT=s3cret\ncp climate.yaml x.yaml\n"+edit+"\nleat run x.yaml"))
				p.Says(y.t, patience, m[1])
				p.Stop(patience)
				tried++
			}
		}
	}
	if tried != len(edits) {
		y.t.Errorf("%d of %d messages of the page were met", tried, len(edits))
	}
}

// Every link between pages leads somewhere, and to a heading that is there.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	err := filepath.WalkDir(proc.Root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != proc.Root() || d.Name() == "testdata") {
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return err
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		for _, m := range link.FindAllStringSubmatch(read(t, path), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := path
			if target != "" {
				file = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s leads nowhere", path, m[1])
			} else if anchor != "" && !headings(t, file)[anchor] {
				t.Errorf("%s: %s has no such heading", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// headings are the anchors of a page, as GitHub makes them.
func headings(t *testing.T, file string) map[string]bool {
	out := map[string]bool{}
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.Lines(read(t, file)) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			title = strings.ToLower(drop.ReplaceAllString(strings.TrimSpace(title), ""))
			out[strings.ReplaceAll(title, " ", "-")] = true
		}
	}
	return out
}
