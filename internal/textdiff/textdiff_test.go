package textdiff

import (
	"strings"
	"testing"
)

func TestUnified(t *testing.T) {
	lines := func(s string) []string { return strings.Fields(s) }
	for _, c := range []struct{ want, got, diff string }{
		{"", "", ""}, {"a b", "a b", ""},
		{"a", "", "@@ -1,1 +1,0 @@\n-a\n"}, {"", "a", "@@ -1,0 +1,1 @@\n+a\n"},
		{"a b c", "a x c", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
		{"1 2 3 4 5 6 7 8 9 a b c", "x 2 3 4 5 6 7 8 9 a b", "@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -9,4 +9,3 @@\n 9\n a\n b\n-c\n"},
	} {
		want := c.diff
		if want != "" {
			want = "--- expected\n+++ got\n" + want
		}
		if got := Unified("expected", "got", lines(c.want), lines(c.got)); got != want {
			t.Errorf("%q, %q:\n%swant\n%s", c.want, c.got, got, want)
		}
	}
	long := make([]string, 3000)
	if d := Unified("a", "b", long, append([]string{"x"}, long[1:]...)); !strings.Contains(d, "\n-\n+x\n") {
		t.Errorf("long lists: %.100s", d)
	}
}
