package config

import (
	"fmt"
	"strings"
	"time"
)

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration, expected a number with a unit such as 500ms, 10s or 1h", s)
	}
	return d, nil
}

var units = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

// ParseBytes reads a size such as 16MiB, 1GB or 4096.
func ParseBytes(s string) (Bytes, error) {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		var n int64
		var rest string
		if c, _ := fmt.Sscanf(strings.TrimSpace(number)+"\n", "%d%s", &n, &rest); c == 1 && n >= 0 && n <= (1<<62)/u.size {
			return Bytes(n * u.size), nil
		}
	}
	return 0, fmt.Errorf("%q is not a size, expected a number with a unit such as 64MiB or 1GB", s)
}
