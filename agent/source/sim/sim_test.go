package sim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatio/leat/agent/source"
)

type memStore map[string][]byte

func (m memStore) Get(key string) ([]byte, error)                 { return m[key], nil }
func (m memStore) Range(string, func(string, []byte) error) error { return nil }

func TestRowFormat(t *testing.T) {
	for _, c := range []struct {
		row  Row
		want string
	}{
		{Row{361, 1700000000001, 220, 496}, `{"device":"dev-0361","ts":1700000000001,"temp":22.0,"humidity":49.6}`},
		{Row{0, 1, -5, 0}, `{"device":"dev-0000","ts":1,"temp":-0.5,"humidity":0.0}`},
		{Row{12345, 1, -123, 1000}, `{"device":"dev-12345","ts":1,"temp":-12.3,"humidity":100.0}`},
	} {
		got := string(c.row.AppendJSON(nil))
		if got != c.want || !strings.Contains(got, `"`+c.row.DeviceName()+`"`) {
			t.Errorf("got %s (%s), want %s", got, c.row.DeviceName(), c.want)
		}
	}
}

// TestRowsNeverChange holds the workload still: results and benchmarks stand on it.
func TestRowsNeverChange(t *testing.T) {
	c := NewClimate(1, 1000)
	h := sha256.New()
	devices, line := map[int]bool{}, []byte(nil)
	for i := range 100000 {
		r := c.Next()
		if r.Millis != FirstMillis+int64(i)/10 || r.TempTenths < -200 || r.TempTenths > 450 || r.HumidTenths < 50 || r.HumidTenths > 1000 {
			t.Fatalf("row %d is %+v", i, r)
		}
		devices[r.Device] = true
		line = r.AppendJSON(line[:0])
		h.Write(line)
	}
	const want = "8017b7f19da1ee233769e7a355ff99bccfd1e64de24588d96865ed8dc0b6e2f3"
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != want || len(devices) != 1000 {
		t.Fatalf("sha256 %s over %d devices, want %s over 1000", got, len(devices), want)
	}
}

func take(t *testing.T, s *Source, store memStore, most, chunks int) (rows []string, end bool) {
	t.Helper()
	var c source.Chunk
	for ; chunks > 0 && !end; chunks-- {
		s.Take(&c, most)
		for _, m := range c.Messages {
			rows = append(rows, string(m.Payload))
		}
		for _, e := range c.Puts {
			store[e.Key] = e.Value
		}
		end = c.End
	}
	return rows, end
}

// TestBoundedRowsAcrossRestarts gives the same rows however often it restarts.
func TestBoundedRowsAcrossRestarts(t *testing.T) {
	var want []string
	for c := NewClimate(7, 10); len(want) < 1000; {
		want = append(want, string(c.Next().AppendJSON(nil)))
	}
	store := memStore{}
	var got []string
	for end := false; !end; {
		s, err := New(Config{Devices: 10, Seed: 7, Rows: 1000, Prefix: "p/"}, store)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		<-s.Ready()
		var rows []string
		rows, end = take(t, s, store, 70, 3)
		got = append(got, rows...)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("%d rows, want %d, or other ones", len(got), len(want))
	}
}

func TestPacedRowsCarryTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Rate: 100, Rows: 150}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(time.Second + time.Millisecond) // the clock of this test moves by itself
		synctest.Wait()
		<-s.Ready()
		rows, end := take(t, s, memStore{}, 1000, 1)
		if len(rows) != 100 || end || !s.Connected() {
			t.Fatalf("%d rows in the first second, end %v", len(rows), end)
		}
		if ts := fmt.Sprintf(`"ts":%d,`, time.Now().UnixMilli()); !strings.Contains(rows[0], ts) {
			t.Fatalf("row %s lacks %s", rows[0], ts)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		<-s.Ready()
		rows, end = take(t, s, memStore{}, 1000, 1)
		if len(rows) != 50 || !end {
			t.Fatalf("%d more rows, end %v", len(rows), end)
		}
		if err := <-done; err != nil { // by itself: all rows are given
			t.Fatal(err)
		}
		cancel()
	})
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{{Rate: -1}, {Rate: 1e12}, {Devices: -1}, {Devices: MaxDevices + 1}} {
		if _, err := New(c, nil); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func BenchmarkClimateRow(b *testing.B) {
	c := NewClimate(1, 1000)
	var line []byte
	for b.Loop() {
		line = c.Next().AppendJSON(line[:0])
	}
}

// FuzzRestore reads a stored position: a number of rows and nothing else, which
// with those still to come are as many as were asked for.
func FuzzRestore(f *testing.F) {
	f.Add([]byte{}, uint64(3))
	f.Add(binary.AppendUvarint(nil, 1<<40), uint64(0))
	f.Add([]byte{5, 0}, uint64(7))
	f.Fuzz(func(t *testing.T, v []byte, rows uint64) {
		s, err := New(Config{Rows: rows, Rate: 1}, memStore{rowsKey: v})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.restore(); err != nil || v == nil {
			return
		}
		if got, n := binary.Uvarint(v); n <= 0 || n != len(v) || got != s.before {
			t.Fatalf("% x was read as %d rows", v, s.before)
		}
		if rows > 0 && s.rowsMax != rows-min(rows, s.before) {
			t.Fatalf("%d of %d rows are given, %d are to come", s.before, rows, s.rowsMax)
		}
	})
}
