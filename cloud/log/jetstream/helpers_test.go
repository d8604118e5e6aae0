package jetstream_test

import (
	"bytes"
	"context"
	"fmt"
)

// ctx is for the child process, which ends by being killed.
func ctx() context.Context { return context.Background() }

// content is what stands at an offset: between 10 bytes and 40 KB.
func content(partition int, offset uint64) []byte {
	p := fmt.Appendf(nil, "%d/%d ", partition, offset)
	return append(p, bytes.Repeat([]byte{byte(offset)}, int(offset%5)*10_000)...)
}

// object is the i-th value of the object, every other one large enough for chunks.
func object(i int) []byte {
	p := fmt.Appendf(nil, "%010d", i)
	if i%2 == 1 {
		p = append(p, bytes.Repeat([]byte{byte(i)}, 5<<20)...)
	}
	return p
}
