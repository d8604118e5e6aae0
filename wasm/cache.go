package wasm

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// The engine keeps one file per module in CacheDir/wazero-VERSION-ARCH-OS,
// named by a hash of the module, the processor's features and the engine's settings.

// prepareCache makes the directory, refuses one that others can write to, and
// removes the oldest entries beyond limit bytes.
func prepareCache(dir string, limit int64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("wasm: making the cache of compiled modules: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("wasm: looking at the cache of compiled modules: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 && os.PathSeparator == '/' {
		return fmt.Errorf("wasm: the cache of compiled modules %s has mode %04o; what lies in it is executed, so that nobody else may write to it: chmod 700 %s", dir, info.Mode().Perm(), dir)
	}
	entries, err := cacheEntries(dir)
	if err != nil {
		return err
	}
	sort.Slice(entries, func(i, k int) bool { return entries[i].modified.After(entries[k].modified) })
	total := int64(0)
	for _, e := range entries {
		total += e.size
		if total > limit || strings.HasSuffix(e.path, ".tmp") {
			if err := os.Remove(e.path); err != nil {
				return fmt.Errorf("wasm: removing an old entry of the cache of compiled modules: %w", err)
			}
		}
	}
	return nil
}

// emptyCache removes every entry.
func emptyCache(dir string) error {
	entries, err := cacheEntries(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Remove(e.path); err != nil {
			return fmt.Errorf("wasm: emptying the cache of compiled modules: %w", err)
		}
	}
	return nil
}

type cacheEntry struct {
	path     string
	size     int64
	modified time.Time
}

// cacheEntries lists the engine's files below dir and no others.
func cacheEntries(dir string) ([]cacheEntry, error) {
	var found []cacheEntry
	names, err := filepath.Glob(filepath.Join(globEscape(dir), "wazero-*", "*"))
	if err != nil {
		return nil, fmt.Errorf("wasm: listing the cache of compiled modules: %w", err)
	}
	for _, name := range names {
		info, err := os.Lstat(name)
		if err != nil || info.Mode()&fs.ModeType != 0 {
			continue // gone meanwhile, or not the engine's
		}
		found = append(found, cacheEntry{name, info.Size(), info.ModTime()})
	}
	return found, nil
}

func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
