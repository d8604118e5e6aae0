package sqlite

import (
	"os"
	"path/filepath"
	"strings"
)

// tempBytes is the size of all temporary files that SQLite has open in this process.
// They have no name in a directory any more, so they are looked for among the open files.
func tempBytes() int64 {
	const dir = "/proc/self/fd/"
	fds, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	var n int64
	for _, fd := range fds {
		name, err := os.Readlink(dir + fd.Name())
		if err != nil || !tempName(name) {
			continue
		}
		if info, err := os.Stat(dir + fd.Name()); err == nil {
			n += info.Size()
		}
	}
	return n
}

// tempName tells whether an open file is one of SQLite's temporary files: made without a name, which
// Linux shows as # and a number, or with SQLite's prefix, and removed at once.
func tempName(name string) bool {
	name, deleted := strings.CutSuffix(name, " (deleted)")
	base := filepath.Base(name)
	return deleted && (strings.HasPrefix(base, "#") || strings.HasPrefix(base, "etilqs_"))
}
