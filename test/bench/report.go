package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// figure is one line of the report.
type figure struct {
	Name  string   `json:"name"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit"`
	Bar   *float64 `json:"at_most,omitempty"`
	Met   *bool    `json:"met,omitempty"`
}

// report gathers figures.
type report struct {
	Machine string   `json:"machine"`
	Figures []figure `json:"figures"`
}

func (r *report) add(name string, value float64, unit string) {
	r.Figures = append(r.Figures, figure{Name: name, Value: value, Unit: unit})
}

// most adds a figure that should be at most bar.
func (r *report) most(name string, value float64, unit string, bar float64) {
	met := value <= bar
	r.Figures = append(r.Figures, figure{Name: name, Value: value, Unit: unit, Bar: &bar, Met: &met})
}

func (r *report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\n\nFIGURE\tVALUE\tUNIT\tBAR\t\n", r.Machine)
	for _, f := range r.Figures {
		bar, verdict := "", ""
		if f.Bar != nil {
			bar, verdict = "at most "+number(*f.Bar), map[bool]string{true: "pass", false: "MISS"}[*f.Met]
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", f.Name, number(f.Value), f.Unit, bar, verdict)
	}
	return w.Flush()
}

// number is a figure with three or four digits that count, or a large whole one with all.
func number(v float64) string {
	if v >= 1000 {
		digits := fmt.Sprintf("%.0f", v)
		for i := len(digits) - 3; i > 0; i -= 3 {
			digits = digits[:i] + "," + digits[i:]
		}
		return digits
	}
	return fmt.Sprintf("%.3g", v)
}

// machine names what the figures were measured on.
func machine() string {
	cpu := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.SplitSeq(string(b), "\n") {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				cpu = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), ":"))
				break
			}
		}
	}
	load := ""
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = ", load " + strings.SplitN(string(b), " ", 2)[0]
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s%s", cpu, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), load)
}
