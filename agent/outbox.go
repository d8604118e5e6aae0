package agent

import (
	"context"

	"github.com/leatio/leat/checkpoint"
)

// outbox is a stream of the store as the session sees it.
type outbox struct {
	*checkpoint.Stream
	checksum func() uint32         // wire checksum of the last committed frame
	acked    func(watermark int64) // takes the cloud's watermark
}

// LastChecksum is the wire checksum of the last committed frame.
func (o *outbox) LastChecksum() uint32 { return o.checksum() }

// Ack frees frames and passes the cloud's watermark on.
func (o *outbox) Ack(upTo uint64, watermark int64) error {
	o.acked(watermark)
	return o.Stream.Ack(upTo)
}

// Wait waits until a frame is committed.
func (o *outbox) Wait(ctx context.Context, seq uint64) error { return o.Stream.Wait(ctx, seq) }
