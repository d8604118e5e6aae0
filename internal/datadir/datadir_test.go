package datadir_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/internal/datadir"
)

func TestMakeLeavesAnEmptyDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 { // the second time it is there already
		if err := datadir.Make(dir, 64<<10); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("entries %v, error %v", entries, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}

func TestMakeSaysTheNextStep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{
		filepath.Join(file, "below"): "not a directory; name another directory: data_dir in the config, or --data-dir",
		"":                           "no such file or directory; name another directory",
	}
	if os.Getuid() != 0 {
		locked := filepath.Join(t.TempDir(), "locked")
		if err := os.Mkdir(locked, 0o500); err != nil {
			t.Fatal(err)
		}
		dirs[locked] = "permission denied; this user may not write there: grant it"
	}
	for dir, want := range dirs {
		if err := datadir.Make(dir, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", dir, err, want)
		}
	}
}
