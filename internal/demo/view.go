package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/leatio/leat/agent"
	"github.com/leatio/leat/cloud/api"
)

// sample is what one look at everything saw.
type sample struct {
	at     time.Time
	agent  agent.View
	totals agent.Totals
	cloud  *api.Status
	newest *api.Result
}

// show draws the live view once a second until ctx ends.
func (d *Demo) show(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var before sample
	lines := 0
	for {
		select {
		case <-ctx.Done():
			d.say("\nstopping")
			return nil
		case <-ticker.C:
		}
		now, err := d.look(ctx)
		if err != nil {
			if ctx.Err() == nil {
				d.log.Warn("view", "error", err)
			}
			continue
		}
		text := render(before, now)
		if width := d.width(); width > 0 {
			text = cutLines(text, width)
			if lines > 0 {
				fmt.Fprintf(d.cfg.Out, "\x1b[%dA\x1b[J", lines)
			}
		}
		fmt.Fprint(d.cfg.Out, text)
		lines = strings.Count(text, "\n")
		before = now
	}
}

func (d *Demo) width() int {
	if d.cfg.Width == nil {
		return 0
	}
	return d.cfg.Width()
}

// cutLines cuts lines that would wrap: the view goes back as many lines as it wrote.
func cutLines(text string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if runes := []rune(strings.TrimSuffix(line, "\n")); len(runes) > width {
			line = string(runes[:width]) + "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

func (d *Demo) look(ctx context.Context) (s sample, err error) {
	s.at, s.agent = time.Now(), d.agent.View()
	for _, p := range s.agent.Pipelines {
		if p.Name == "greenhouse" {
			s.totals = p.Totals
		}
	}
	if s.cloud, err = d.node.Status(ctx); err != nil {
		return s, err
	}
	s.newest, err = d.node.Query(ctx, api.Query{SQL: `SELECT device, window_start, n, round(temp_avg, 2), round(dew_max, 2)
		FROM climate_10s WHERE window_start = (SELECT max(window_start) FROM climate_10s) ORDER BY device LIMIT 5`})
	return s, err
}

// render draws a sample; rates are against the one before.
func render(before, now sample) string {
	var b strings.Builder
	rate := 0.0
	if d := now.at.Sub(before.at).Seconds(); !before.at.IsZero() && d > 0 {
		rate = float64(now.totals.Messages-before.totals.Messages) / d
	}
	perRow := func(bytes uint64) float64 { return float64(bytes) / float64(max(now.totals.Rows, 1)) }
	link := "connected"
	if !now.agent.Link.Connected {
		link = "no session"
	}
	fmt.Fprintf(&b, "%s  agent %s\n", now.at.Format(time.TimeOnly), link)
	fmt.Fprintf(&b, "  messages  %8.0f/s   total %d   rejects %d   late %d\n", rate, now.totals.Messages, now.totals.Rejects, now.totals.Late)
	fmt.Fprintf(&b, "  wire      %8.2f bytes a row, raw %.1f   (%.0f times less)\n", perRow(now.totals.SentBytes), perRow(now.totals.RawBytes),
		perRow(now.totals.RawBytes)/max(perRow(now.totals.SentBytes), 1e-9))
	for _, p := range now.cloud.Pipelines {
		lag := "no window yet"
		if p.Watermark != nil {
			lag = now.at.Sub(*p.Watermark).Round(100 * time.Millisecond).String()
		}
		fmt.Fprintf(&b, "  windows   %8d results fired   watermark lag %s\n", p.Fired, lag)
	}
	if now.newest != nil && len(now.newest.Rows) > 0 {
		fmt.Fprintf(&b, "  %-10s %-20s %5s %9s %8s\n", "device", "window_start", "n", "temp_avg", "dew_max")
		for _, r := range now.newest.Rows {
			for i, v := range r {
				if v == nil {
					r[i] = "null"
				}
			}
			start := strings.Replace(fmt.Sprint(r[1]), ".000000Z", "Z", 1)
			fmt.Fprintf(&b, "  %-10v %-20v %5v %9v %8v\n", r[0], start, r[2], r[3], r[4])
		}
	}
	return b.String()
}
