package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/cloud/sink/sqlite"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("LEAT_TEST_TABLES_CHILD"); path != "" {
		fmt.Fprintln(os.Stderr, child(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const (
	childWorkers = 4
	childRows    = 20 // rows of each write
)

// child writes from several goroutines until it is killed, and reports each
// write that was applied.
func child(path string) error {
	db, err := sqlite.Open(context.Background(), sqlite.Config{Path: path})
	if err != nil {
		return err
	}
	go func() {
		if err := db.Run(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	var mu sync.Mutex
	failed := make(chan error)
	for worker := range childWorkers {
		go func() {
			for i := 1; ; i++ {
				var values [][]any
				for r := range childRows {
					values = append(values, []any{r, fmt.Sprint(worker), i, float64(i)})
				}
				if err := db.Apply(context.Background(), []sink.Write{window(i, values...)}); err != nil {
					failed <- err
					return
				}
				mu.Lock()
				fmt.Println(worker, i)
				mu.Unlock()
			}
		}()
	}
	return <-failed
}

// TestKill kills a child in the middle of its writes: what Apply had acknowledged is there, and no write by half.
func TestKill(t *testing.T) {
	for round := range 3 {
		path := filepath.Join(t.TempDir(), "results.db")
		acked := runAndKill(t, path, 100*(round+1))
		db, stop := start(t, sqlite.Config{Path: path})
		got := query(t, db, "SELECT device, min(n), max(n), count(*), max(_revision) FROM climate_10s GROUP BY device ORDER BY device")
		if len(got) != childWorkers {
			t.Fatal(got)
		}
		for worker, row := range got {
			if row[1] != row[2] || row[3] != int64(childRows) || row[4] != row[1] {
				t.Errorf("half a write is there: %v", row)
			}
			if row[1].(int64) < acked[worker] {
				t.Errorf("worker %d: write %d was acknowledged, %v is there", worker, acked[worker], row[1])
			}
		}
		t.Logf("round %d: acknowledged %v, found %v", round, acked, got)
		stop()
	}
}

func runAndKill(t *testing.T, path string, lines int) (acked [childWorkers]int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LEAT_TEST_TABLES_CHILD="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for in := bufio.NewScanner(out); in.Scan(); seen++ {
		worker, write, _ := strings.Cut(in.Text(), " ")
		w, err := strconv.Atoi(worker)
		if err != nil {
			t.Fatal(err)
		}
		if acked[w], err = strconv.ParseInt(write, 10, 64); err != nil {
			t.Fatal(err)
		}
		if seen == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || seen < lines {
		t.Fatalf("the child ended by itself after %d lines: %v", seen, err)
	}
	return acked
}
