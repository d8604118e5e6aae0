package crash

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Flags of TestCrash. The defaults are the small run that `go test ./...` makes; `make crash` makes the long one.
var (
	messages = flag.Int("crash.messages", 20_000, "messages to publish")
	kills    = flag.Int("crash.kills", 4, "kills that count")
	seed     = flag.Uint64("crash.seed", 1, "seed of messages and kills; 0 = random")
	race     = flag.Bool("crash.race", false, "build the programs with the race detector and the invariants that check themselves")
	keep     = flag.Bool("crash.keep", false, "keep data and logs also when the run passes")
)

// TestCrash is the run of the package comment.
func TestCrash(t *testing.T) {
	if _, err := findBroker(); errors.Is(err, ErrNoBroker) {
		t.Skip(err)
	}
	dir, err := os.MkdirTemp("", "leat-crash-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() || *keep {
			t.Logf("data and logs are kept in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}()
	bin := filepath.Join(dir, "bin")
	build(t, bin)
	ctx := t.Context()
	if at, ok := t.Deadline(); ok { // processes must not outlive the test
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, at.Add(-20*time.Second), errors.New("the test's time is over; raise -timeout"))
		defer cancel()
	}
	report, err := Run(ctx, Config{Bin: bin, Dir: dir, Messages: *messages, Kills: *kills, Seed: *seed, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + report.Text())
	if len(report.Failures) > 0 {
		t.Fatalf("%d failures; repeat with -crash.seed=%d -crash.messages=%d -crash.kills=%d", len(report.Failures), report.Seed, *messages, *kills)
	}
}

// build builds the programs of this working tree as they are shipped, or with
// everything on that checks itself.
func build(t *testing.T, to string) {
	t.Helper()
	began := time.Now()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	commands := [][]string{
		{"go", "build", "-trimpath", "-ldflags=-s -w", "-o", to, "./cmd/leat", "./cmd/leat-cloud"},
		{"make", "-s", "agent", "OUT=" + filepath.Join(to, "leat-agent")},
	}
	cgo := "CGO_ENABLED=0"
	if *race {
		commands = [][]string{{"go", "build", "-race", "-tags=invariants", "-o", to, "./cmd/leat", "./cmd/leat-cloud", "./cmd/leat-agent"}}
		cgo = "CGO_ENABLED=1"
	}
	for _, args := range commands {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir, cmd.Env = filepath.Join("..", ".."), append(os.Environ(), cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	t.Logf("programs built in %.1f s", time.Since(began).Seconds())
}
