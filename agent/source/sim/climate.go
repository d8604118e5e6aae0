package sim

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// What the climate workload is.
const (
	FirstMillis    = 1700000000000 // event time of the first row
	RowsPerMilli   = 10            // rows that share a millisecond
	DefaultDevices = 1000
	MaxDevices     = 10_000_000 // bounds the memory of the walks
)

// Row is one reading.
type Row struct {
	Device      int
	Millis      int64
	TempTenths  int
	HumidTenths int
}

// Climate makes rows. One goroutine uses it at a time.
type Climate struct {
	rng   *rand.PCG
	rows  int64
	walks []walk
}

// walk is where a device's values stand, in tenths.
type walk struct{ temp, humid int16 }

// NewClimate returns a generator for a number of devices; 0 = DefaultDevices.
func NewClimate(seed uint64, devices int) *Climate {
	if devices <= 0 {
		devices = DefaultDevices
	}
	c := &Climate{rng: rand.NewPCG(seed, 0x6c656174), walks: make([]walk, min(devices, MaxDevices))}
	for i := range c.walks {
		r := c.rng.Uint64()
		c.walks[i] = walk{temp: 150 + int16(r%150), humid: 300 + int16(r>>32%400)}
	}
	return c
}

// Next gives the next row: a random device whose values each took a step of at
// most 0.2 within -20..45 degrees and 5..100 %.
func (c *Climate) Next() Row {
	r := c.rng.Uint64()
	// The high half picks the device by multiplication, the low half the steps.
	device := int((r >> 32) * uint64(len(c.walks)) >> 32)
	w := &c.walks[device]
	w.temp = min(max(w.temp+int16(r%5)-2, -200), 450)
	w.humid = min(max(w.humid+int16(r>>8%5)-2, 50), 1000)
	row := Row{Device: device, Millis: FirstMillis + c.rows/RowsPerMilli, TempTenths: int(w.temp), HumidTenths: int(w.humid)}
	c.rows++
	return row
}

// DeviceName is the row's device, such as dev-0361.
func (r Row) DeviceName() string { return fmt.Sprintf("dev-%04d", r.Device) }

// AppendJSON appends the row as one JSON object without a line end.
func (r Row) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"device":"dev-`...)
	for limit := 1000; limit > 1 && r.Device < limit; limit /= 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, int64(r.Device), 10)
	dst = append(dst, `","ts":`...)
	dst = strconv.AppendInt(dst, r.Millis, 10)
	dst = append(dst, `,"temp":`...)
	dst = appendTenths(dst, r.TempTenths)
	dst = append(dst, `,"humidity":`...)
	dst = appendTenths(dst, r.HumidTenths)
	return append(dst, '}')
}

func appendTenths(dst []byte, v int) []byte {
	if v < 0 {
		dst = append(dst, '-')
		v = -v
	}
	dst = strconv.AppendInt(dst, int64(v/10), 10)
	return append(dst, '.', byte('0'+v%10))
}
