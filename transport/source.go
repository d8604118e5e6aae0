package transport

import "context"

// FrameSource is the outbox of one (pipeline, version, lane). Frames have
// contiguous numbers that begin at 1. All methods may be called from the
// stream's goroutines while others add frames.
type FrameSource interface {
	// First is the first unacknowledged frame's number; equal to Next when there is none.
	First() uint64
	// Next is the number after the last committed frame's.
	Next() uint64
	// Last is the last committed frame's number and its wire.Checksum, of one
	// and the same moment, also when that frame is acknowledged and gone; 0 and 0 before the first.
	Last(ctx context.Context) (seq uint64, checksum uint32, err error)
	// Read gives the bytes of a frame between First and Next.
	Read(seq uint64) ([]byte, error)
	// Ack says that frames up to and with upTo are durable in the cloud. watermark is the
	// pipeline's in the cloud, microseconds; wire.NoWatermark = none.
	Ack(upTo uint64, watermark int64) error
	// Wait returns when frame seq is committed, or with ctx's error.
	Wait(ctx context.Context, seq uint64) error
}

// StreamKey names a data stream of an agent.
type StreamKey struct {
	Pipeline string
	Version  uint64
	Lane     uint32
	Epoch    uint64
}
