package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/leatio/leat/internal/pb"
)

// MaxMessageBytes bounds a control message unless the reader says otherwise.
const MaxMessageBytes = 4 << 20

// AppendMessage appends the message behind its length.
func AppendMessage(dst []byte, m pb.Message) ([]byte, error) {
	dst, err := pb.AppendDelimited(dst, m)
	if err != nil {
		return nil, fmt.Errorf("encode %w", err)
	}
	return dst, nil
}

// ParseMessage parses one message behind its length into m and returns the rest.
func ParseMessage(src []byte, m pb.Message, maxBytes int) (rest []byte, err error) {
	size, n := binary.Uvarint(src)
	switch {
	case n == 0:
		return nil, fmt.Errorf("message length: %w", ErrShort)
	case n < 0:
		return nil, fmt.Errorf("message length: %w", ErrCorrupt)
	case size > uint64(maxBytes):
		return nil, fmt.Errorf("message of %d bytes, at most %d are taken: %w", size, maxBytes, ErrTooLarge)
	case uint64(len(src)-n) < size:
		return nil, fmt.Errorf("message of %d bytes, %d there: %w", size, len(src)-n, ErrShort)
	}
	if err := pb.Unmarshal(src[n:n+int(size)], m); err != nil {
		return nil, fmt.Errorf("decode %w: %w", ErrCorrupt, err)
	}
	return src[n+int(size):], nil
}
