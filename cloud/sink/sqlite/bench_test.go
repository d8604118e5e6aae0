package sqlite_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/engine/batch"
)

func benchWrite(worker, turn, n, revision int) sink.Write {
	w := sink.Write{Table: climate(), Rows: batch.New(climateSchema)}
	c := w.Rows.Cols
	c[1].Dict = batch.NewDict()
	for i := range n {
		c[0].Ints = append(c[0].Ints, int64(turn)*10*second)
		c[1].Codes = append(c[1].Codes, c[1].Dict.CodeString(fmt.Sprintf("device-%d-%05d", worker, i)))
		c[2].Ints = append(c[2].Ints, 10)
		c[3].Doubles = append(c[3].Doubles, 21.5+float64(i)/10)
		w.Revisions = append(w.Revisions, int64(revision))
	}
	w.Rows.N = n
	return w
}

// BenchmarkApply writes batches of 1,000 window rows: new windows, or higher revisions of the same ones.
func BenchmarkApply(b *testing.B) {
	const n = 1000
	for _, workers := range []int{1, 16} {
		for _, kind := range []string{"new", "revised"} {
			b.Run(fmt.Sprintf("%s/workers=%d", kind, workers), func(b *testing.B) {
				db := open(b)
				b.ReportAllocs()
				b.ResetTimer()
				var wg sync.WaitGroup
				for worker := range workers {
					wg.Go(func() {
						for i := worker; i < b.N; i += workers {
							w := benchWrite(worker, i, n, 1)
							if kind == "revised" {
								w = benchWrite(worker, 0, n, i)
							}
							if err := db.Apply(b.Context(), []sink.Write{w}); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// BenchmarkApplySmall writes one row at a time from 16 workers: the cost of a durable commit, shared.
func BenchmarkApplySmall(b *testing.B) {
	db := open(b)
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for i := worker; i < b.N; i += 16 {
				if err := db.Apply(b.Context(), []sink.Write{benchWrite(worker, i, 1, 1)}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}
