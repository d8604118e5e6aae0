package decode

import (
	"fmt"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Meta is what the decoder knows besides the plan.
type Meta struct {
	Agent  string // value of the hidden column _agent
	Limits Limits
}

// Limits bounds the work on one message. The zero value is the default.
type Limits struct {
	MessageBytes int // a larger message is rejected; 0 = 1 MiB
	Depth        int // nesting of values; 0 = 64
	Rows         int // rows of one message; 0 = 65,536
}

// Decoder decodes the messages of one source. One goroutine uses it at a time.
type Decoder struct{ src *plan.Source }

// New returns a decoder for the source's format and columns.
func New(src *plan.Source, meta Meta) (*Decoder, error) {
	if src.Format != "json" && src.Format != "csv" {
		return nil, fmt.Errorf("decode: unknown format %q (known: json, csv)", src.Format)
	}
	return &Decoder{src: src}, nil
}

// Decode resets b and appends the rows of msgs in order; a message that is a
// JSON array of objects gives several. b has the columns of the source's
// Schema. A message that cannot be decoded gives no row and one call of reject
// with its index in msgs and the reason. b and b.Origin are valid until the payloads are, or the next Decode.
func (d *Decoder) Decode(b *batch.Batch, msgs []source.Message, reject func(msg int, reason string)) {
	b.Reset()
}
