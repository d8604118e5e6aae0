package compile

import (
	"testing"
	"time"

	"github.com/leatio/leat/engine/plan"
)

// offsetOf is the offset of a zone's rules at a time.
func offsetOf(z *plan.Zone, unix int64) int64 {
	offset := z.Offset
	for _, c := range z.Changes {
		if c.At > unix {
			break
		}
		offset = c.Offset
	}
	return offset
}

// TestZoneRules holds the rules against package time, hour by hour.
func TestZoneRules(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca"} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		z := zoneRules(name)
		for at := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2100; at = at.Add(7 * time.Hour) {
			if _, want := at.In(loc).Zone(); offsetOf(z, at.Unix()) != int64(want) {
				t.Fatalf("%s at %v: offset %d, want %d", name, at, offsetOf(z, at.Unix()), want)
			}
		}
		for _, c := range z.Changes {
			_, before := time.Unix(c.At-1, 0).In(loc).Zone()
			_, after := time.Unix(c.At, 0).In(loc).Zone()
			if int64(before) == c.Offset || int64(after) != c.Offset {
				t.Errorf("%s: no change to %d at %d", name, c.Offset, c.At)
			}
		}
	}
}

func TestZones(t *testing.T) {
	c := &compiler{}
	for name, good := range map[string]bool{"Europe/Berlin": true, "UTC": true, "": false, "Local": false, "Mars/Olympus": false, "../etc/passwd": false} {
		if err := c.Zone(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
