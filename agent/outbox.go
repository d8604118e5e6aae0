package agent

import (
	"context"

	"github.com/leatio/leat/checkpoint"
)

// outbox is a stream of the store as the session sees it.
type outbox struct {
	*checkpoint.Stream
	state func() ([]byte, error) // the pipeline's as last committed, see pipeline.appendState; nil = none
	acked func(watermark int64)  // takes the cloud's watermark
}

// Last is the last committed frame's number and wire checksum. Both stand in
// one value of the store, since two questions could have a commit between them.
func (o *outbox) Last(ctx context.Context) (seq uint64, checksum uint32, err error) {
	value, err := o.state()
	if err != nil || value == nil {
		return 0, 0, err
	}
	if seq, checksum, err = lastOfState(value); err != nil || seq == 0 {
		return 0, 0, err
	}
	// The value is there an instant before the stream shows the frame.
	return seq, checksum, o.Wait(ctx, seq)
}

// Ack frees frames and passes the cloud's watermark on.
func (o *outbox) Ack(upTo uint64, watermark int64) error {
	o.acked(watermark)
	return o.Stream.Ack(upTo)
}
