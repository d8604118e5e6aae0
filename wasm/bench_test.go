package wasm

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// BenchmarkDewpoint calls the examples on a full batch, with the limiter as in use
// and without.
func BenchmarkDewpoint(b *testing.B) {
	args := climate(rand.New(rand.NewPCG(5, 6)), MaxRows)
	for i := range MaxRows { // as a greenhouse has it
		args[0].Doubles[i], args[1].Doubles[i] = 15+float64(i%200)/10, 40+float64(i%500)/10
	}
	for _, language := range []string{"c", "go"} {
		for _, mode := range []string{"limited", "unlimited", "interpreter"} {
			b.Run(language+"/"+mode, func(b *testing.B) {
				f := load(b, Config{unbounded: mode == "unlimited", Interpreter: mode == "interpreter"}, example(b, language), "dewpoint")
				benchmarkCall(b, f, args)
			})
		}
	}
}

// BenchmarkEcho has a guest that does nothing: what is left is the host's part.
func BenchmarkEcho(b *testing.B) {
	for _, mode := range []string{"limited", "unlimited"} {
		b.Run(mode, func(b *testing.B) {
			f := load(b, Config{unbounded: mode == "unlimited"}, doubleGuest(echo()), "f")
			benchmarkCall(b, f, []batch.Column{doubles(make([]float64, MaxRows)...)})
		})
	}
}

func benchmarkCall(b *testing.B, f *Function, args []batch.Column) {
	out := doubles()
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if errs, err := f.Call(0, args, MaxRows, &out); err != nil || len(errs) > 0 {
			b.Fatal(errs, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxRows, "ns/row")
}

// BenchmarkLoad loads the examples from nothing and from the cache on disk.
func BenchmarkLoad(b *testing.B) {
	for _, language := range []string{"c", "go"} {
		for _, cached := range []bool{false, true} {
			name, cfg := language+"/compiled", Config{}
			if cached {
				name, cfg.CacheDir = language+"/cached", b.TempDir()
				if err := prime(cfg, example(b, language)); err != nil {
					b.Fatal(err)
				}
			}
			b.Run(name, func(b *testing.B) {
				module := example(b, language)
				for b.Loop() {
					if err := prime(cfg, module); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func prime(cfg Config, module []byte) error {
	ctx := context.Background()
	h, err := NewHost(ctx, cfg)
	if err != nil {
		return err
	}
	if _, err := h.Load(ctx, module); err != nil {
		return err
	}
	return h.Close(ctx)
}

// BenchmarkReset is what a checkpoint, or a poisoned instance, costs.
func BenchmarkReset(b *testing.B) {
	for _, language := range []string{"c", "go"} {
		b.Run(language, func(b *testing.B) {
			f := load(b, Config{}, example(b, language), "dewpoint")
			for b.Loop() {
				if err := f.Reset(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
