package checkpoint

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

const killDir = "LEAT_CHECKPOINT_KILL_DIR"

// TestKillChild is the process that TestKill9 kills: it commits for ever and
// prints the number of each commit that it was told is durable.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("only as a child of TestKill9")
	}
	s := mustOpen(t, Config{Dir: dir, SegmentBytes: 16 << 10, MaxBytes: 256 << 10})
	for n := s.Stream("a").Next(); ; n++ {
		mustCommit(t, s, killBatch(n))
		fmt.Printf("durable %d\n", n)
		if n%16 == 0 {
			if err := s.Stream("a").Ack(n - 8); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func killBatch(n uint64) *Batch {
	return &Batch{
		Records: []Record{
			{Stream: "a", Kind: Frame, Seq: n, Data: []byte(payload("a", n, int(n*37%2000)))},
			{Stream: "a", Kind: State, Data: fmt.Appendf(nil, "s%d", n)},
		},
		Puts: []Entry{{"n", fmt.Append(nil, n)}},
	}
}

// kill -9 at random moments, on one directory: what was durable is there, and
// frames, state and entries are of the same commit.
func TestKill9(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(9, 9))
	var last uint64
	for round := range 30 {
		durable := killOnce(t, dir, time.Duration(rng.IntN(60))*time.Millisecond)
		began := time.Now()
		s := mustOpen(t, Config{Dir: dir, SegmentBytes: 16 << 10, MaxBytes: 256 << 10})
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("round %d: opening took %v", round, d)
		}
		if d := s.Damage(); d != nil {
			t.Fatalf("round %d: damage %v", round, d)
		}
		a := s.Stream("a")
		n := a.Next() - 1
		if n < max(durable, last) {
			t.Fatalf("round %d: commit %d was durable, the store has %d", round, max(durable, last), n)
		}
		for seq := a.First(); seq <= n; seq++ {
			mustRead(t, s, "a", seq, payload("a", seq, int(seq*37%2000)))
		}
		if n > 0 {
			if v, err := s.Get("n"); err != nil || string(v) != strconv.FormatUint(n, 10) {
				t.Fatalf("round %d: entry is %q, %v, the last frame %d", round, v, err, n)
			}
			if got := journal(t, s, "a"); len(got) != 1 || got[0] != fmt.Sprint("s", n) {
				t.Fatalf("round %d: journal is %q, the last frame %d", round, got, n)
			}
		}
		last = n
		_ = s.stop(t)
	}
	if last < 100 {
		t.Fatalf("only %d commits in all rounds", last)
	}
}

// killOnce runs the child, kills it some time after its first commit, and
// returns the last commit that it called durable.
func killOnce(t *testing.T, dir string, after time.Duration) (durable uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillChild$", "-test.v=false")
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for first := true; lines.Scan(); first = false {
		if _, err := fmt.Sscanf(lines.Text(), "durable %d", &durable); err != nil {
			t.Fatalf("the child says %q", lines.Text())
		}
		if first {
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	return durable
}
