package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

const benchRows = 4096

// climateMessages are rows of the reference workload: 1,000 devices, 68 bytes a row.
func climateMessages(format func(i, device, ts, temp, humidity int) string) []source.Message {
	rng := rand.New(rand.NewPCG(1, 2))
	var all []byte
	var ends []int
	for i := range benchRows {
		all = append(all, format(i, rng.IntN(1000), 1700000000000+i/10, 150+rng.IntN(150), 300+rng.IntN(400))...)
		ends = append(ends, len(all))
	}
	msgs := make([]source.Message, benchRows)
	for i, from := 0, 0; i < benchRows; i++ {
		msgs[i].Payload = all[from:ends[i]]
		from = ends[i]
	}
	return msgs
}

func climateJSON(_, device, ts, temp, humidity int) string {
	return fmt.Sprintf(`{"device":"dev-%04d","ts":%d,"temp":%d.%d,"humidity":%d.%d}`, device, ts, temp/10, temp%10, humidity/10, humidity%10)
}

// cpuTime measures the processor's time, which a busy machine changes less than the clock.
type cpuTime struct{ at int64 }

func startCPU(b *testing.B) cpuTime { return cpuTime{cpuNanos(b)} }

func cpuNanos(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func (c cpuTime) report(b *testing.B) {
	b.ReportMetric(float64(cpuNanos(b)-c.at)/float64(b.N)/benchRows, "cpu-ns/row")
}

func climateSource(format string) *plan.Source {
	return &plan.Source{Format: format, Columns: []*plan.SourceColumn{
		col("device", batch.String, 0), col("ts", batch.Timestamp, plan.TimeUnit_TIME_UNIT_MILLIS), col("temp", batch.Double, 0),
	}}
}

func benchmarkDecode(b *testing.B, format string, msgs []source.Message) {
	benchmarkSource(b, climateSource(format), msgs)
}

func benchmarkSource(b *testing.B, src *plan.Source, msgs []source.Message) {
	d := newDecoder(b, src, Limits{})
	out := batch.New(src.Schema())
	reject := func(_ string, _ []byte, reason string) { b.Fatal(reason) }
	if src.Format == "csv" {
		d.Decode(out, []source.Message{{Payload: []byte("device,ts,temp,humidity"), Header: true}}, reject)
	}
	d.Decode(out, msgs, reject)
	if out.N != benchRows {
		b.Fatal(out.N)
	}
	bytes := 0
	for i := range msgs {
		bytes += len(msgs[i].Payload)
	}
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	cpu := startCPU(b)
	for b.Loop() {
		d.Decode(out, msgs, reject)
	}
	cpu.report(b)
}

func BenchmarkClimateJSON(b *testing.B) { benchmarkDecode(b, "json", climateMessages(climateJSON)) }

// run gives messages as a file source does: as one run of lines.
func run(msgs []source.Message) []source.Message {
	var all []byte
	for i := range msgs {
		all = append(append(all, msgs[i].Payload...), '\n')
	}
	return []source.Message{{Payload: all, Lines: true}}
}

func BenchmarkClimateJSONLines(b *testing.B) {
	benchmarkDecode(b, "json", run(climateMessages(climateJSON)))
}

func BenchmarkClimateJSONSpaced(b *testing.B) {
	benchmarkDecode(b, "json", climateMessages(func(_, device, ts, temp, humidity int) string {
		return fmt.Sprintf(`{"device": "dev-%04d", "ts": %d, "temp": %d.%d, "humidity": %d.%d}`, device, ts, temp/10, temp%10, humidity/10, humidity%10)
	}))
}

// BenchmarkClimateJSONShuffled changes the order of keys from row to row.
func BenchmarkClimateJSONShuffled(b *testing.B) {
	benchmarkDecode(b, "json", climateMessages(func(i, device, ts, temp, humidity int) string {
		if i%2 == 0 {
			return climateJSON(i, device, ts, temp, humidity)
		}
		return fmt.Sprintf(`{"humidity":%d.%d,"temp":%d.%d,"ts":%d,"device":"dev-%04d"}`, humidity/10, humidity%10, temp/10, temp%10, ts, device)
	}))
}

// BenchmarkClimateLibrary has an escape in each row, which only the library path covers.
func BenchmarkClimateLibrary(b *testing.B) {
	benchmarkDecode(b, "json", climateMessages(func(_, device, ts, temp, humidity int) string {
		return fmt.Sprintf(`{"device":"dev\/%04d","ts":%d,"temp":%d.%d,"humidity":%d.%d}`, device, ts, temp/10, temp%10, humidity/10, humidity%10)
	}))
}

func BenchmarkClimateCSV(b *testing.B) {
	benchmarkDecode(b, "csv", climateMessages(func(_, device, ts, temp, humidity int) string {
		return fmt.Sprintf("dev-%04d,%d,%d.%d,%d.%d", device, ts, temp/10, temp%10, humidity/10, humidity%10)
	}))
}

func BenchmarkClimateInflux(b *testing.B) {
	benchmarkSource(b, source1("influx", col("device", batch.String, 0), col("time", batch.Timestamp, nanos), col("temp", batch.Double, 0)),
		climateMessages(func(_, device, ts, temp, humidity int) string {
			return fmt.Sprintf("climate,device=dev-%04d temp=%d.%d,humidity=%d.%d %d000000", device, temp/10, temp%10, humidity/10, humidity%10, ts)
		}))
}

func BenchmarkClimateCBOR(b *testing.B) {
	benchmarkSource(b, climateSource("cbor"), climateMessages(func(_, device, ts, temp, humidity int) string {
		p := fmt.Appendf(nil, "\xa4\x66device\x68dev-%04d\x62ts\x1b", device)
		p = binary.BigEndian.AppendUint64(p, uint64(ts))
		p = binary.BigEndian.AppendUint64(append(p, "\x64temp\xfb"...), math.Float64bits(float64(temp)/10))
		return string(binary.BigEndian.AppendUint64(append(p, "\x68humidity\xfb"...), math.Float64bits(float64(humidity)/10)))
	}))
}

func BenchmarkClimateSenML(b *testing.B) {
	benchmarkSource(b, source1("senml", col("device", batch.String, 0), col("t", batch.Timestamp, millis), col("temp", batch.Double, 0)),
		climateMessages(func(_, device, ts, temp, humidity int) string {
			return fmt.Sprintf(`[{"bt":%d,"n":"device","vs":"dev-%04d"},{"n":"temp","v":%d.%d},{"n":"humidity","v":%d.%d}]`, ts, device, temp/10, temp%10, humidity/10, humidity%10)
		}))
}

// BenchmarkCitySenML is RIoTBench's CITY stream.
func BenchmarkCitySenML(b *testing.B) {
	benchmarkSource(b, city(), climateMessages(func(_, device, ts, temp, humidity int) string {
		return fmt.Sprintf(`{"e":[{"u":"string","n":"source","sv":"ci4lr75sl000802ypo4qr%04d"},{"v":"6.1668213","u":"lon","n":"longitude"},{"v":"46.1927629","u":"lat","n":"latitude"},{"v":"%d.%d","u":"far","n":"temperature"},{"v":"%d.%d","u":"per","n":"humidity"},{"v":"0","u":"per","n":"light"},{"v":"411.02","u":"per","n":"dust"},{"v":"140","u":"per","n":"airquality_raw"}],"bt":%d}`,
			device, temp/10, temp%10, humidity/10, humidity%10, ts)
	}))
}

func BenchmarkRaw(b *testing.B) {
	benchmarkSource(b, source1("raw", col("p", batch.Bytes, 0)), climateMessages(climateJSON))
}

// BenchmarkClimateBound is the least that such a scan could do: a scanner
// written by hand for exactly these rows, which checks next to nothing and knows the order of
// the keys, the digits after the point and the Dict.
func BenchmarkClimateBound(b *testing.B) {
	msgs := climateMessages(climateJSON)
	dict := batch.NewDict()
	codes, times, temps := make([]uint32, benchRows), make([]int64, benchRows), make([]float64, benchRows)
	b.ReportAllocs()
	cpu := startCPU(b)
	for b.Loop() {
		for r := range msgs {
			p := msgs[r].Payload[len(`{"device":"`):]
			end := bytes.IndexByte(p, '"')
			codes[r] = dict.Code(p[:end])
			p = p[end+len(`","ts":`):]
			var ts int64
			i := 0
			for ; p[i] != ','; i++ {
				ts = 10*ts + int64(p[i]-'0')
			}
			times[r] = ts * 1000
			p = p[i+len(`,"temp":`):]
			v := 0
			for i = 0; p[i] != '.'; i++ {
				v = 10*v + int(p[i]-'0')
			}
			temps[r] = float64(10*v+int(p[i+1]-'0')) / 10
		}
	}
	cpu.report(b)
}
