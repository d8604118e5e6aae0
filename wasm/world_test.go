package wasm

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/wasm/internal/asm"
)

// answer writes the i64 that code pushes over the first value, and echoes.
func answer(code ...[]byte) []byte {
	return asm.Cat(asm.I32Const(region), asm.I32Load(48), asm.I32Const(region), []byte{0x6a}, asm.Cat(code...), []byte{0x37, 3, 0}, echo())
}

func load64(at int32) []byte { return asm.Cat(asm.I32Const(at), []byte{0x29, 3, 0}) }

func intGuest(call []byte) []byte {
	return guest(manifestText("propagate", batch.Int, batch.Int), call).Bytes()
}

func readClock(id int32) []byte {
	return asm.Cat(asm.I32Const(id), asm.I64Const(1), asm.I32Const(8), asm.Call(fnClock), asm.Drop(), load64(8))
}

func askInt(t *testing.T, f *Function, eventTime int64) int64 {
	t.Helper()
	out := batch.Column{Type: batch.Int}
	errs, err := f.Call(eventTime, []batch.Column{{Type: batch.Int, Ints: []int64{0}}}, 1, &out)
	if err != nil || len(errs) > 0 {
		t.Fatal(errs, err)
	}
	return out.Ints[0]
}

func TestClocksAreTheBatchs(t *testing.T) {
	engines(t, func(t *testing.T, cfg Config) {
		event := load(t, cfg, intGuest(answer(asm.Call(fnEventTime))), "f")
		wall := load(t, cfg, intGuest(answer(readClock(0))), "f")
		mono := load(t, cfg, intGuest(answer(readClock(1))), "f")
		for _, micros := range []int64{0, 1, -1, 1_700_000_000_123_456, -1_000_001} {
			if got := askInt(t, event, micros); got != micros {
				t.Errorf("event_time is %d, want %d", got, micros)
			}
			if got := askInt(t, wall, micros); got != micros*1000 {
				t.Errorf("the realtime clock is %d, want %d", got, micros*1000)
			}
			if got := askInt(t, mono, micros); got != 1 {
				t.Errorf("the monotonic clock is %d without a sleep", got)
			}
		}
	})
}

// subscription is one of poll_oneoff.
func subscription(kind byte, clock uint32, timeout uint64, flags uint16) []byte {
	s := make([]byte, subscriptionBytes)
	s[0], s[8] = 0x55, kind
	binary.LittleEndian.PutUint32(s[16:], clock)
	binary.LittleEndian.PutUint64(s[24:], timeout)
	binary.LittleEndian.PutUint16(s[40:], flags)
	return s
}

func TestSleepReturnsAtOnceAndMovesTheClock(t *testing.T) {
	const hour = uint64(time.Hour)
	for _, c := range []struct {
		name string
		subs []byte
		mono int64 // after the poll
		hits int64
	}{
		{"an hour", subscription(0, 1, hour, 0), int64(hour) + 1, 1},
		{"the sooner of two", asm.Cat(subscription(0, 1, hour, 0), subscription(0, 0, 2*hour, 0)), int64(hour) + 1, 1},
		{"both at once", asm.Cat(subscription(0, 1, hour, 0), subscription(0, 0, hour, 0)), int64(hour) + 1, 2},
		{"until a monotonic time", subscription(0, 1, hour, 1), int64(hour), 1},
		{"until a real time", subscription(0, 0, 1_000_000_000+77, 1), 78, 1},
		{"until a time gone by", subscription(0, 0, 5, 1), 1, 1},
		{"for ever", subscription(0, 1, math.MaxUint64, 0), math.MaxInt64, 1},
		{"a file", asm.Cat(subscription(1, 0, 0, 0), subscription(0, 1, hour, 0)), 1, 1},
	} {
		engines(t, func(t *testing.T, cfg Config) {
			n := int32(len(c.subs) / subscriptionBytes)
			poll := asm.Cat(asm.I32Const(4096), asm.I32Const(8192), asm.I32Const(n), asm.I32Const(64), asm.Call(fnPoll), asm.Drop())
			for what, code := range map[string][]byte{"clock": readClock(1), "events": asm.Cat(asm.I32Const(64), []byte{0x35, 2, 0})} {
				m := guest(manifestText("propagate", batch.Int, batch.Int), answer(poll, code))
				m.Data = append(m.Data, asm.Data{At: 4096, Bytes: c.subs})
				got, want := askInt(t, load(t, cfg, m.Bytes(), "f"), 1_000_000), c.mono
				if what == "events" {
					want = c.hits
				}
				if got != want {
					t.Errorf("%s: %s %d, want %d", c.name, what, got, want)
				}
			}
		})
	}
}

func TestRandomIsSeeded(t *testing.T) {
	body := answer(asm.I32Const(8), asm.I32Const(8), asm.Call(fnRandom), asm.Drop(), load64(8))
	var first []int64
	engines(t, func(t *testing.T, cfg Config) {
		f := load(t, cfg, intGuest(body), "f")
		got := []int64{askInt(t, f, 0), askInt(t, f, 0)}
		if err := f.Reset(); err != nil {
			t.Fatal(err)
		}
		got = append(got, askInt(t, f, 0), askInt(t, f, 0))
		if got[0] == got[1] || got[0] != got[2] || got[1] != got[3] {
			t.Errorf("two numbers, and again after a reset: %x", got)
		}
		if first == nil {
			first = got
		}
		if got[0] != first[0] {
			t.Error("the engines differ")
		}
	})
}

func TestFilesAreBad(t *testing.T) {
	for name, code := range map[string][]byte{
		// The engine's own fd_renumber would make a table of 2^31 entries.
		"renumber": asm.Cat(asm.I32Const(1), asm.I32Const(math.MaxInt32), asm.Call(fnRenumber)),
		"write":    asm.Cat(asm.I32Const(3), asm.I32Const(64), asm.I32Const(0), asm.I32Const(64), asm.Call(fnFdWrite)),
	} {
		f := load(t, Config{}, intGuest(answer(code, []byte{0xad})), "f")
		if got := askInt(t, f, 0); got != errnoBadFile {
			t.Errorf("%s gave errno %d", name, got)
		}
	}
	poll := asm.Cat(asm.I32Const(0), asm.I32Const(0), asm.I32Const(maxSubscriptions+1), asm.I32Const(0), asm.Call(fnPoll), []byte{0xad})
	if got := askInt(t, load(t, Config{}, intGuest(answer(poll)), "f"), 0); got != errnoInvalid {
		t.Errorf("a poll of %d gave errno %d", maxSubscriptions+1, got)
	}
}

func TestOutputBecomesLogLines(t *testing.T) {
	var b bytes.Buffer
	write := func(fd int32) []byte { // the text at 128 by the vector at 64
		return asm.Cat(asm.I32Const(fd), asm.I32Const(64), asm.I32Const(1), asm.I32Const(72), asm.Call(fnFdWrite), asm.Drop())
	}
	logLine := asm.Cat(asm.I32Const(levelError), asm.I32Const(128), asm.I32Const(5), asm.Call(fnLog))
	m := guest(manifestText("propagate", batch.Int, batch.Int), asm.Cat(write(1), write(2), logLine, echo()))
	text := "hello\nworld\xff"
	m.Data = append(m.Data, asm.Data{At: 64, Bytes: []byte{128, 0, 0, 0, byte(len(text)), 0, 0, 0}}, asm.Data{At: 128, Bytes: []byte(text)})
	f := load(t, Config{Log: logTo(&b)}, m.Bytes(), "f")
	askInt(t, f, 0)
	want := `level=INFO msg=hello function=f@1.2.0
level=WARN msg=hello function=f@1.2.0
level=ERROR msg=hello function=f@1.2.0
level=INFO msg=world` + "\uFFFD" + ` function=f@1.2.0
level=WARN msg=world` + "\uFFFD" + ` function=f@1.2.0
`
	if got := strings.ReplaceAll(b.String(), `"`, ""); got != want {
		t.Errorf("the log is\n%swant\n%s", got, want)
	}
}

func TestLogIsRateLimited(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(1000, 0)
	cfg := Config{Log: logTo(&b), LogBytesPerSecond: 300, now: func() time.Time { return now }}
	logLine := asm.Cat(asm.I32Const(1), asm.I32Const(1024), asm.I32Const(11), asm.Call(fnLog))
	f := load(t, cfg, intGuest(asm.Cat(logLine, echo())), "f")
	for range 10 { // 75 bytes each
		askInt(t, f, 0)
	}
	if lines, dropped := strings.Count(b.String(), "\n"), f.Stats().Dropped.LogLines; lines != 4 || dropped != 6 {
		t.Errorf("%d lines were written and %d dropped", lines, dropped)
	}
	if err := f.Reset(); err != nil { // a fresh instance gets no new allowance
		t.Fatal(err)
	}
	askInt(t, f, 0)
	now = now.Add(time.Hour)
	askInt(t, f, 0)
	if got := b.String(); strings.Count(got, "\n") != 5 || !strings.Contains(got, "lines_dropped=7") {
		t.Errorf("the log is\n%s", got)
	}
}

func TestMetricsAreBounded(t *testing.T) {
	got := map[string]float64{}
	cfg := Config{Metric: func(module, name string, v float64) { got[module+" "+name] += v }}
	f := load(t, cfg, doubleGuest(asm.Cat(
		asm.I32Const(1024), asm.I32Const(3), asm.F64Const(2.5), asm.Call(fnMetric),
		asm.I32Const(1024), asm.I32Const(3), asm.F64Const(math.NaN()), asm.Call(fnMetric),
		asm.I32Const(1024), asm.I32Const(maxName+1), asm.F64Const(1), asm.Call(fnMetric),
		echo())), "f")
	for range 2 {
		call(t, f, []batch.Column{doubles(1)}, 1)
	}
	if fmt.Sprint(got) != `map[f@1.2.0 {"a:5]` {
		t.Errorf("metrics: %v", got)
	}
	if n := f.Stats().Dropped.Metrics; n != 2 {
		t.Errorf("%d were dropped", n)
	}
	for i := range 100 {
		f.out.add(fmt.Appendf(nil, "m%d", i), 1)
	}
	if len(got) != maxMetrics {
		t.Errorf("%d names were taken", len(got))
	}
}

func TestHostFunctionsNeedALimiter(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "BUG: ") {
			t.Errorf("recovered %v", r)
		}
	}()
	worldOf(context.Background())
}
