package batch

// Bitmap is a bit per row, least significant bit first.
type Bitmap []uint64

// NewBitmap returns a bitmap of n bits, all equal to v. Bits beyond n are
// clear.
func NewBitmap(n int, v bool) Bitmap {
	m := make(Bitmap, (n+63)/64)
	if v {
		for i := range m {
			m[i] = ^uint64(0)
		}
		if r := n % 64; r != 0 {
			m[len(m)-1] = 1<<r - 1
		}
	}
	return m
}

// Get is bit i.
func (m Bitmap) Get(i int) bool { return m[i>>6]>>(i&63)&1 != 0 }

// Set sets bit i.
func (m Bitmap) Set(i int) { m[i>>6] |= 1 << (i & 63) }

// Clear clears bit i.
func (m Bitmap) Clear(i int) { m[i>>6] &^= 1 << (i & 63) }

// Append sets bit i, which is the one after the last, to v and returns the
// bitmap, grown where needed.
func (m Bitmap) Append(i int, v bool) Bitmap {
	for i>>6 >= len(m) {
		m = append(m, 0)
	}
	if v {
		m.Set(i)
	} else {
		m.Clear(i)
	}
	return m
}
