package transport

import (
	"crypto/rand"
	"testing"
)

// BenchmarkFrames sends frames of 64 KB over loopback, acknowledged one by one.
func BenchmarkFrames(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10} {
		b.Run(map[int]string{4 << 10: "4KB", 64 << 10: "64KB"}[size], func(b *testing.B) {
			n := newNode(b, nil)
			n.forget = true
			a := startAgent(b, n.agent("gw"), nil)
			src := newSource(climateKey)
			payload := make([]byte, size)
			if _, err := rand.Read(payload); err != nil {
				b.Fatal(err)
			}
			defer a.Feed(climateKey, src)()
			src.add(payload)
			await(b, "the first frame", func() bool { return src.First() == 2 })
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				for src.inFlight() > 64 {
					<-src.room
				}
				src.addForgetful(payload)
				_ = i
			}
			for src.inFlight() > 0 {
				<-src.room
			}
		})
	}
}
