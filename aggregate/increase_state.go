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

func (a *increase) AppendState(dst []batch.Column, slots []uint32) {
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

func (a *increase) appendSlot(dst []byte, p *increaseSlot) []byte {
	dst = append(dst, increaseFormat)
	if f := p.fold; f != nil {
		dst = binary.AppendVarint(binary.AppendVarint(append(dst, 1), f.first.at), f.last.at)
		dst = a.rises.appendRise(a.appendReading(a.appendReading(dst, f.first.v), f.last.v), f.rise)
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
	return a.appendReadings(dst, p.points)
}

func (a *increase) appendReading(dst []byte, v int64) []byte {
	if a.doubles {
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(fromOrderKey(v)))
	}
	return binary.AppendVarint(dst, v)
}

func (a *increase) appendReadings(dst []byte, points []point) []byte {
	if a.doubles {
		return a.appendDoubles(dst, points)
	}
	last := int64(0)
	for _, x := range points {
		dst = binary.AppendVarint(dst, x.v-last)
		last = x.v
	}
	return dst
}

func (a *increase) appendDoubles(dst []byte, points []point) []byte {
	n := len(dst)
	for k := range increasePlaces {
		dst = append(dst[:n], byte(k))
		last, fits := int64(0), true
		for _, p := range points {
			x := fromOrderKey(p.v)
			v := math.RoundToEven(float64(x * placesOf(k)))
			if fits = math.Abs(v) <= exactInt && v/placesOf(k) == x; !fits {
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
		dst = a.appendReading(dst, x.v)
	}
	return dst
}

// placesOf is 10^k.
func placesOf(k int) float64 { return [increasePlaces]float64{1, 10, 100, 1000}[k] }

func (a *increase) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	slots, rows = a.skip.of(&state[0], slots, rows)
	for i, s := range slots {
		if p, ok := a.decode(state[0].Blob(rowAt(rows, i))); ok {
			a.mergeSlot(&a.s[s], p.points, p.fold)
		}
	}
}

func (a *increase) check(src []byte) bool {
	_, ok := a.decode(src)
	return ok
}

func (a *increase) decode(src []byte) (p increaseSlot, ok bool) {
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
		f := &fold{}
		f.first.at, f.last.at = r.varint(math.MinInt64, math.MaxInt64), r.varint(math.MinInt64, math.MaxInt64)
		f.first.v, f.last.v = a.readReading(&r), a.readReading(&r)
		f.rise = a.rises.readRise(&r)
		if comparePoints(f.first, f.last) > 0 {
			return p, false
		}
		p.fold = f
	default:
		return p, false
	}
	n := r.uvarint(min(maxPoints, uint64(len(r.src))))
	p.points = make([]point, n)
	var last, step int64
	for i := range p.points {
		d := r.varint(math.MinInt64, math.MaxInt64) + step
		last += d
		p.points[i].at = last
		if i > 0 {
			step = d
		}
	}
	a.readReadings(&r, p.points)
	for i := 1; i < len(p.points); i++ {
		if comparePoints(p.points[i-1], p.points[i]) >= 0 {
			return p, false
		}
	}
	return p, !r.bad && len(r.src) == 0 && (n > 0 || p.fold != nil)
}

func (a *increase) readReading(r *stateReader) int64 {
	if a.doubles {
		return orderKey(r.double())
	}
	return r.varint(math.MinInt64, math.MaxInt64)
}

func (a *increase) readReadings(r *stateReader, points []point) {
	k, last := byte(0), int64(0)
	if a.doubles {
		if k = r.byte(); k >= increasePlaces && k != rawValues {
			r.fail()
			return
		}
	}
	for i := range points {
		if k == rawValues {
			points[i].v = a.readReading(r)
			continue
		}
		last += r.varint(math.MinInt64, math.MaxInt64)
		if points[i].v = last; a.doubles {
			points[i].v = orderKey(float64(last) / placesOf(int(k)))
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
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(r.doubles.hi))
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(r.doubles.lo))
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
