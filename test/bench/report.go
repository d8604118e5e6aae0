package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// figure is one line of the report.
type figure struct {
	Name  string   `json:"name"`
	Value float64  `json:"value"` // the median of several runs
	Low   float64  `json:"low"`
	High  float64  `json:"high"`
	Unit  string   `json:"unit"`
	Most  *float64 `json:"at_most,omitempty"`
	Least *float64 `json:"at_least,omitempty"`
	Met   *bool    `json:"met,omitempty"`
}

// report gathers figures.
type report struct {
	Machine string   `json:"machine"`
	Figures []figure `json:"figures"`
}

func (r *report) figure(name, unit string, runs []float64) *figure {
	all := slices.Sorted(slices.Values(runs))
	r.Figures = append(r.Figures, figure{Name: name, Value: all[len(all)/2], Low: all[0], High: all[len(all)-1], Unit: unit})
	return &r.Figures[len(r.Figures)-1]
}

// add adds a figure: one measurement, or those of several runs.
func (r *report) add(name, unit string, runs ...float64) { r.figure(name, unit, runs) }

// most adds a figure whose median should be at most bar.
func (r *report) most(name, unit string, bar float64, runs ...float64) {
	f := r.figure(name, unit, runs)
	met := f.Value <= bar
	f.Most, f.Met = &bar, &met
}

// least adds a figure whose median should be at least bar.
func (r *report) least(name, unit string, bar float64, runs ...float64) {
	f := r.figure(name, unit, runs)
	met := f.Value >= bar
	f.Least, f.Met = &bar, &met
}

func (r *report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\n\nFIGURE\tMEDIAN\tSPREAD\tUNIT\tBAR\t\n", r.Machine)
	for _, f := range r.Figures {
		bar, verdict, spread := "", "", ""
		if f.Most != nil {
			bar = "at most " + number(*f.Most)
		}
		if f.Least != nil {
			bar = "at least " + number(*f.Least)
		}
		if f.Met != nil {
			verdict = map[bool]string{true: "pass", false: "MISS"}[*f.Met]
		}
		if f.Low != f.High {
			spread = number(f.Low) + " to " + number(f.High)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, number(f.Value), spread, f.Unit, bar, verdict)
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
