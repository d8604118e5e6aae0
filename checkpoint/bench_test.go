package checkpoint

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkCommit is the agent's commit: a frame, a position, everything
// acknowledged some commits later.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10} {
		for _, callers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%dKB/%dcommitters", size>>10, callers), func(b *testing.B) { benchCommit(b, size, callers) })
		}
	}
}

func benchCommit(b *testing.B, size, callers int) {
	s := mustOpen(b, Config{Dir: b.TempDir()})
	data := make([]byte, size)
	var wg sync.WaitGroup
	before := deviceBytes()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	for c := range callers {
		wg.Go(func() {
			st := s.Stream(fmt.Sprint("stream/", c))
			for i := c; i < b.N; i += callers {
				seq := st.Next()
				err := s.Commit(&Batch{
					Records: []Record{{Stream: st.Name(), Kind: Frame, Seq: seq, Data: data}},
					Puts:    []Entry{{"position/" + st.Name(), fmt.Append(nil, seq)}},
				})
				if err == nil && seq > 8 {
					err = st.Ack(seq - 8)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	st := s.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64(st.Commits)/float64(st.Groups), "commits/group")
	b.ReportMetric(float64(deviceBytes()-before)/float64(b.N*size), "written/byte")
	_ = s.stop(b)
}

// deviceBytes is what this process caused to be written to storage.
func deviceBytes() (n int64) {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Sscanf(line, "write_bytes: %d", &n); err == nil {
			return n
		}
	}
	return 0
}

// BenchmarkOpenWithBacklog opens a store whose outbox holds 1 GiB of frames
// that nobody has acknowledged.
func BenchmarkOpenWithBacklog(b *testing.B) {
	if testing.Short() {
		b.Skip("writes 1 GiB")
	}
	for _, size := range []int{4 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			const total = 1 << 30
			cfg := Config{Dir: b.TempDir(), MaxBytes: 2 * total}
			s := mustOpen(b, cfg)
			data := make([]byte, size)
			for seq := uint64(1); seq*uint64(size) <= total; {
				batch := Batch{}
				for range 2 << 20 / size {
					batch.Records = append(batch.Records, Record{Stream: "a", Kind: Frame, Seq: seq, Data: data})
					seq++
				}
				mustCommit(b, s, &batch)
			}
			_ = s.stop(b)
			b.ResetTimer()
			var took time.Duration
			for range b.N {
				began := time.Now()
				s, err := Open(cfg)
				if err != nil {
					b.Fatal(err)
				}
				took += time.Since(began)
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(took.Seconds()/float64(b.N), "s/open")
		})
	}
}

// BenchmarkRead is the uplink draining a backlog.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			s := mustOpen(b, Config{Dir: b.TempDir()})
			const frames = 500
			for range frames {
				mustCommit(b, s, &Batch{Records: []Record{frame(s, "a", strings.Repeat("x", size))}})
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if _, err := s.Stream("a").Read(uint64(i%frames) + 1); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			_ = s.stop(b)
		})
	}
}
