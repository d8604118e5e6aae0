package compile

import (
	"os"
	"strings"
	"testing"
)

func TestChange(t *testing.T) {
	src, err := os.ReadFile("../../examples/greenhouse/pipeline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from, to string
		kept     string
		words    []string // parts of what is told
	}{
		"nothing":     {"freshness: 1s", "freshness: 2s", "all", nil},
		"accumulator": {"temp_max: max(temp)", "temp_min: min(temp)", "windows", []string{"adds min of temp,", "drops max of temp\n", "table climate_10s: gets temp_min, null in the rows there are; gets no more values of temp_max\n"}},
		"result only": {"n: count(*)", "n: count(*)\n        half: count(*) / 2.0", "windows", []string{"keeps count, sum of temp", "gets half"}},
		"argument":    {"dewpoint(temp, humidity)", "dewpoint(temp, humidity + 1.0)", "windows", []string{"adds max of dewpoint(temp, humidity + 1), empty", "drops max of dewpoint(temp, humidity)"}},
		"type":        {"n: count(*)", "n: count(*) / 2.0", "windows", []string{"n is a double, it was a int"}},
		"slices":      {"tumbling: 10s", "tumbling: 5s", "nothing", []string{"cuts time in other ways"}},
		"keys":        {"by: [device]", "by: []", "nothing", nil},
		"rows":        {"temp BETWEEN -40", "temp BETWEEN -50", "nothing", []string{"other rows"}},
		"table":       {"name: climate_10s", "name: climate", "windows", []string{"table climate: is new\n", "table climate_10s: stays as it is and gets no more rows\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(string(src), c.from, c.to, 1)
			if text == string(src) {
				t.Fatal("nothing was replaced")
			}
			old, err := Compile(src, options("old.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			next, err := Compile([]byte(text), options("new.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			r := Change(old, next)
			told := strings.Join(append(append(r.Reasons, r.Windows...), r.Tables...), "\n") + "\n"
			if r.Kept != c.kept || r.Summary == "" {
				t.Errorf("kept %s, want %s: %s", r.Kept, c.kept, told)
			}
			for _, w := range c.words {
				if !strings.Contains(told, w) {
					t.Errorf("%q lacks %q", told, w)
				}
			}
		})
	}
}
