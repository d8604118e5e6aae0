//go:build unix

package wasm

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// guestMemory is the memory of one instance, outside Go's heap: the whole range
// is reserved without access and opened as the guest grows. Growing copies
// nothing, and a page takes memory when the guest first touches it.
type guestMemory struct {
	region []byte
	open   uint64 // bytes that may be accessed
}

// newGuestMemory reserves limit bytes and opens the first size of them.
func newGuestMemory(size, limit uint64) (*guestMemory, error) {
	region, err := unix.Mmap(-1, 0, int(max(limit, 65536)), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("reserving %d bytes of guest memory: %w", limit, err)
	}
	if runtime.GOOS == "linux" {
		// Without huge pages a byte touched costs 4 KiB instead of 2 MiB. Kernels
		// that know no huge pages refuse the advice, which is as good.
		const noHugePage = 15
		_ = unix.Madvise(region, noHugePage)
	}
	m := &guestMemory{region: region}
	if m.Reallocate(size) == nil {
		m.Free()
		return nil, fmt.Errorf("opening %d bytes of guest memory: the system refused", size)
	}
	return m, nil
}

// Reallocate opens the memory up to size; nil says that it cannot. The result is never nil otherwise.
func (m *guestMemory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.region)) {
		return nil
	}
	if size > m.open {
		if err := unix.Mprotect(m.region[m.open:size], unix.PROT_READ|unix.PROT_WRITE); err != nil {
			return nil
		}
		m.open = size
	}
	return m.region[:size:size]
}

// Free gives the memory back. Nothing may touch it any more.
func (m *guestMemory) Free() {
	if m.region == nil {
		return
	}
	if err := unix.Munmap(m.region); err != nil {
		panic("BUG: wasm: unmapping guest memory: " + err.Error())
	}
	m.region, m.open = nil, 0
}
