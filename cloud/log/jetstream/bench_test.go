package jetstream_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/log/jetstream"
)

// BenchmarkAppend appends bundles to 16 partitions, one at a time to each.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{256, 32 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			cfg := config(b.TempDir())
			cfg.Partitions, cfg.PartitionBytes = 16, 8<<30
			s := open(b, cfg)
			record := make([]byte, size)
			b.SetBytes(int64(size))
			b.ResetTimer()
			var wg sync.WaitGroup
			for p := range 16 {
				wg.Go(func() {
					for range b.N/16 + 1 {
						if _, err := s.Append(b.Context(), p, record); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkReplay reads a partition from its beginning, as a worker does that takes it over.
func BenchmarkReplay(b *testing.B) {
	const size, records = 32 << 10, 1000
	s := open(b, config(b.TempDir()))
	for range records {
		if _, err := s.Append(b.Context(), 0, make([]byte, size)); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(size)
	b.ResetTimer()
	for done := 0; done < b.N; {
		r, err := s.Read(b.Context(), 0, 1)
		if err != nil {
			b.Fatal(err)
		}
		for range min(records, b.N-done) {
			if _, _, err := r.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
			done++
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a store of 16 partitions, new and again, and reports what an idle one holds in memory.
func BenchmarkOpen(b *testing.B) {
	var fresh, again time.Duration
	for range b.N {
		cfg := config(b.TempDir())
		cfg.Partitions = 16
		for _, total := range []*time.Duration{&fresh, &again} {
			start := time.Now()
			s, err := jetstream.Open(b.Context(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			*total += time.Since(start)
			if total == &again {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapInuse+m.StackInuse)/(1<<20), "idle-MiB")
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(fresh.Milliseconds())/float64(b.N), "ms/new")
	b.ReportMetric(float64(again.Milliseconds())/float64(b.N), "ms/again")
}
