//go:build !unix

package wasm

import "fmt"

// guestMemory is the memory of one instance, on Go's heap where there is no mmap.
type guestMemory struct {
	buffer []byte
	limit  uint64
}

func newGuestMemory(size, limit uint64) (*guestMemory, error) {
	if size > limit {
		return nil, fmt.Errorf("opening %d bytes of guest memory: only %d are allowed", size, limit)
	}
	return &guestMemory{buffer: make([]byte, size), limit: limit}, nil
}

// Reallocate grows the memory to size; nil says that it cannot.
func (m *guestMemory) Reallocate(size uint64) []byte {
	if size > m.limit {
		return nil
	}
	if size > uint64(len(m.buffer)) {
		m.buffer = append(m.buffer, make([]byte, size-uint64(len(m.buffer)))...)
	}
	return m.buffer[:size]
}

// Free gives the memory back to the garbage collector.
func (m *guestMemory) Free() { m.buffer, m.limit = nil, 0 }
