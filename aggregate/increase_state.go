package aggregate

import (
	"encoding/binary"
	"math"

	"github.com/leatio/leat/engine/batch"
)

// The state of an increase begins with the format, 1, then
//
//	byte      1 where there is a fold, else 0
//	fold      the times of its first and last point, zigzag varints; their values; the rise: of ints two zigzag varints
//	          (low, high), of doubles hi and lo, 8 bytes each, little-endian
//	uvarint   number of points, in order of time
//	times     zigzag varints: the first, its distance to the second, and on from there the changes of the distance
//	values    of doubles a byte first: places k, where all values are integers / 10^k, else 255
//	          zigzag varints: the first value, then distances to the one before;
//	          with 255, and of a fold: 8 bytes each, little-endian
//
// The values of a fold of ints are zigzag varints.
const (
	increaseFormat = 1
	rawValues      = 255
	increasePlaces = 4 // at most so many are tried
)

func (a *increase[T]) AppendState(dst []batch.Column, slots []uint32) {
	var buf []byte
	for _, s := range slots {
		p := &a.s[s]
		a.settle(p)
		buf = buf[:0]
		if len(p.points) > 0 || p.fold != nil {
			buf = a.appendSlot(buf, p)
		}
		putBlob(&dst[0], buf)
	}
}

func (a *increase[T]) appendSlot(dst []byte, p *increaseSlot[T]) []byte {
	dst = append(dst, increaseFormat)
	if f := p.fold; f != nil {
		dst = binary.AppendVarint(binary.AppendVarint(append(dst, 1), f.first.at), f.last.at)
		dst = a.rises.appendRise(appendReading(appendReading(dst, f.first.v), f.last.v), f.rise)
	} else {
		dst = append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.points)))
	var last, step int64
	for i, x := range p.points {
		d := x.at - last
		dst = binary.AppendVarint(dst, d-step)
		if last = x.at; i > 0 {
			step = d
		}
	}
	return appendReadings(dst, p.points)
}

func appendReading[T int64 | float64](dst []byte, v T) []byte {
	switch x := any(v).(type) {
	case int64:
		return binary.AppendVarint(dst, x)
	case float64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return dst
}

func appendReadings[T int64 | float64](dst []byte, points []point[T]) []byte {
	switch p := any(points).(type) {
	case []point[int64]:
		last := int64(0)
		for _, x := range p {
			dst = binary.AppendVarint(dst, x.v-last)
			last = x.v
		}
	case []point[float64]:
		dst = appendDoubleReadings(dst, p)
	}
	return dst
}

func appendDoubleReadings(dst []byte, points []point[float64]) []byte {
	n := len(dst)
	for k := range increasePlaces {
		dst = append(dst[:n], byte(k))
		last, fits := int64(0), true
		for _, x := range points {
			v := math.RoundToEven(float64(x.v * placesOf(k)))
			if fits = math.Abs(v) <= exactInt && v/placesOf(k) == x.v; !fits {
				break
			}
			dst = binary.AppendVarint(dst, int64(v)-last)
			last = int64(v)
		}
		if fits {
			return dst
		}
	}
	dst = append(dst[:n], rawValues)
	for _, x := range points {
		dst = appendReading(dst, x.v)
	}
	return dst
}

// placesOf is 10^k.
func placesOf(k int) float64 { return [increasePlaces]float64{1, 10, 100, 1000}[k] }

func (a *increase[T]) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	slots, rows = a.skip.of(&state[0], slots, rows)
	for i, s := range slots {
		if p, ok := a.decode(state[0].Blob(rowAt(rows, i))); ok {
			a.mergeSlot(&a.s[s], p.points, p.fold)
		}
	}
}

func (a *increase[T]) check(src []byte) bool {
	_, ok := a.decode(src)
	return ok
}

func (a *increase[T]) decode(src []byte) (p increaseSlot[T], ok bool) {
	if len(src) == 0 {
		return p, true
	}
	r := stateReader{src: src}
	if r.byte() != increaseFormat {
		return p, false
	}
	switch r.byte() {
	case 0:
	case 1:
		f := &fold[T]{}
		f.first.at, f.last.at = r.varint(math.MinInt64, math.MaxInt64), r.varint(math.MinInt64, math.MaxInt64)
		f.first.v, f.last.v = readReading[T](&r), readReading[T](&r)
		f.rise = a.rises.readRise(&r)
		if comparePoints(f.first, f.last) > 0 {
			return p, false
		}
		p.fold = f
	default:
		return p, false
	}
	n := r.uvarint(min(maxPoints, uint64(len(r.src))))
	p.points = make([]point[T], n)
	var last, step int64
	for i := range p.points {
		d := r.varint(math.MinInt64, math.MaxInt64) + step
		last += d
		p.points[i].at = last
		if i > 0 {
			step = d
		}
	}
	readReadings(&r, p.points)
	for i := 1; i < len(p.points); i++ {
		if comparePoints(p.points[i-1], p.points[i]) >= 0 {
			return p, false
		}
	}
	return p, !r.bad && len(r.src) == 0 && (n > 0 || p.fold != nil)
}

func readReading[T int64 | float64](r *stateReader) (v T) {
	switch x := any(&v).(type) {
	case *int64:
		*x = r.varint(math.MinInt64, math.MaxInt64)
	case *float64:
		*x = r.double()
	}
	return v
}

func readReadings[T int64 | float64](r *stateReader, points []point[T]) {
	switch p := any(points).(type) {
	case []point[int64]:
		last := int64(0)
		for i := range p {
			last += r.varint(math.MinInt64, math.MaxInt64)
			p[i].v = last
		}
	case []point[float64]:
		k, last := r.byte(), int64(0)
		if k >= increasePlaces && k != rawValues {
			r.fail()
			return
		}
		for i := range p {
			if k == rawValues {
				p[i].v = r.double()
				continue
			}
			last += r.varint(math.MinInt64, math.MaxInt64)
			p[i].v = float64(last) / placesOf(int(k))
		}
	}
}

// double reads a number that is finite and not -0.
func (r *stateReader) double() float64 {
	b := r.bytes(8)
	if r.bad {
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(b))
	if v-v != 0 {
		r.fail()
		return 0
	}
	return v + 0
}

func (intRises) appendRise(dst []byte, r rise) []byte {
	return binary.AppendVarint(binary.AppendVarint(dst, r.ints.low), r.ints.high)
}

func (intRises) readRise(r *stateReader) rise {
	return rise{ints: int128{low: r.varint(math.MinInt64, math.MaxInt64), high: r.varint(math.MinInt64+1, math.MaxInt64)}}
}

func (doubleRises) appendRise(dst []byte, r rise) []byte {
	return appendReading(appendReading(dst, r.doubles.hi), r.doubles.lo)
}

func (doubleRises) readRise(r *stateReader) rise {
	b := r.bytes(16)
	if r.bad {
		return rise{}
	}
	hi := math.Float64frombits(binary.LittleEndian.Uint64(b))
	if hi > math.MaxFloat64 {
		return rise{doubles: dd{hi: math.Inf(1)}}
	}
	lo := math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))
	if hi-hi != 0 || lo-lo != 0 || math.Abs(lo) > math.Abs(hi) {
		r.fail()
		return rise{}
	}
	return rise{doubles: dd{hi + 0, lo + 0}}
}
