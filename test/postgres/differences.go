package postgres

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// page is where the differences are listed.
const page = "../../docs/reference/expressions.md"

// difference is a row of the table: an expression in both dialects, and what each makes of it.
type difference struct {
	name            string
	here, hereGives string
	pg, pgGives     string
}

var cell = regexp.MustCompile("^`(.*)` is `(.*)`$")

// readDifferences reads the table.
func readDifferences(t testing.TB) map[string]difference {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Differences from PostgreSQL\n")
	if !found {
		t.Fatalf("%s has no section of differences", page)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	out := map[string]difference{}
	for line := range strings.SplitSeq(section, "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| name |") || strings.HasPrefix(line, "| --- |") {
			continue
		}
		d, err := parseDifference(line)
		if err != nil {
			t.Fatalf("%s: %v: %s", page, err, line)
		}
		if _, dup := out[d.name]; dup {
			t.Fatalf("%s: two differences are named %s", page, d.name)
		}
		out[d.name] = d
	}
	return out
}

func parseDifference(line string) (difference, error) {
	// A | within an expression is written \|.
	line = strings.ReplaceAll(line, `\|`, "\x00")
	cells := strings.Split(strings.Trim(line, "| "), " | ")
	for i := range cells {
		cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), "\x00", "|")
	}
	if len(cells) != 4 || cells[3] == "" {
		return difference{}, fmt.Errorf("%d cells, expected a name, Leat, PostgreSQL and the reason", len(cells))
	}
	l, p := cell.FindStringSubmatch(cells[1]), cell.FindStringSubmatch(cells[2])
	if l == nil || p == nil {
		return difference{}, fmt.Errorf("expected `expression` is `value`")
	}
	return difference{name: cells[0], here: l[1], hereGives: l[2], pg: p[1], pgGives: p[2]}, nil
}

// named is the difference that explains two answers, or empty.
func named(here, there answer) string {
	switch {
	case here.failed && strings.HasPrefix(here.reason, "invalid input syntax for type timestamp"):
		return "timestamp-text"
	case !here.failed && there.failed && strings.Contains(there.reason, "out of range") && strings.Contains(there.reason, "timestamp"):
		return "timestamp-range"
	case here.failed && here.reason == "LIKE pattern must not end with escape character":
		return "like-end"
	}
	return ""
}
