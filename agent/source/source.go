package source

import (
	"bytes"
	"context"
	"iter"
)

// Message is one message of a source, one record of a file, or a run of lines.
type Message struct {
	// Topic is the MQTT topic, or the name of the file.
	Topic string
	// Payload is valid until the next Take. Whoever keeps it longer copies it.
	Payload []byte
	// ReceivedMicros is when the agent received the message, in microseconds since 1970.
	ReceivedMicros int64
	// Header marks the header record of a CSV file. It comes before the first
	// data record of each file, also when reading resumes in the middle of
	// one; it names the columns and is not a row.
	Header bool
	// Lines marks a run of whole lines, each of them a record: decoders cut them on the
	// way, in the one pass that reads them. See Lines.
	Lines bool
	// Oversized marks a message that exceeds the source's limit. Payload holds its
	// first OversizedSample bytes, for the reject log; the rest was not kept. A decoder rejects it.
	Oversized bool
}

// Lines gives the records of a run of lines: without their line ends and the
// carriage returns before these, and without blank ones. The last line may lack its end.
func Lines(run []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(run) > 0 {
			line, next := CutLine(run)
			run = run[next:]
			if len(line) > 0 && !yield(line) {
				return
			}
		}
	}
}

// CutLine gives the first line of a run, without its end, and where the next one begins.
func CutLine(run []byte) (line []byte, next int) {
	end := bytes.IndexByte(run, '\n')
	if next = end + 1; end < 0 {
		end, next = len(run), len(run)
	}
	if end > 0 && run[end-1] == '\r' {
		end--
	}
	return run[:end:end], next
}

// OversizedSample is how much of an oversized message is kept.
const OversizedSample = 256

// Entry is one key to be stored, or deleted, in the commit of the chunk that
// carries it.
type Entry struct {
	Key   string
	Value []byte // nil = delete the key
}

// Chunk is what one Take gives. Its slices belong to the taker until the next
// Take with the same Chunk.
type Chunk struct {
	Messages []Message
	// Puts go into the same commit as the effects of Messages. A chunk without
	// messages may carry some.
	Puts []Entry
	// Dry says that nothing more is waiting: a good moment to commit.
	Dry bool
	// End says that a bounded source has ended: there is no further message.
	End bool
	// Done acknowledges the messages. It is called once, when the chunk is
	// durably committed, from any goroutine, in the order of Take. It may be nil.
	Done func()
}

// Reset empties the chunk and keeps its memory.
func (c *Chunk) Reset() {
	clear(c.Messages)
	clear(c.Puts)
	*c = Chunk{Messages: c.Messages[:0], Puts: c.Puts[:0]}
}

// Source is a place that messages come from. Run is called once, in a
// goroutine of its own; Take is called by one goroutine at a time; the other methods
// may be called from anywhere.
type Source interface {
	// Run connects, reconnects with backoff and reads, until ctx ends (it then
	// returns nil) or until a failure that no retry mends, which it returns. A
	// bounded source returns nil after its last message. What it
	// has read can still be taken after it returned.
	Run(ctx context.Context) error
	// Ready gives a token when Take has something, be it only End. Tokens are not counted: after
	// one, take until the chunk is Dry.
	Ready() <-chan struct{}
	// Take resets c and moves up to max waiting messages to it. It does not block.
	Take(c *Chunk, max int)
	// Connected tells whether the source vouches that silence means silence.
	Connected() bool
	Status() Status
}

// Status says how a source is doing, for people.
type Status struct {
	Connected bool
	// Detail is one line: what the source is doing, or why it cannot and what to do.
	Detail string
	// Received counts messages handed to the buffer, without recognised redeliveries; a run of lines is one.
	Received uint64
	// Redelivered counts redeliveries of messages that were already taken in,
	// which were recognised and not delivered again.
	Redelivered uint64
	// LastError is the newest failure; it stays after it was mended.
	LastError string
}

// Store reads what was committed. A source reads it once, when Run begins.
type Store interface {
	// Get returns the value of a key, or nil and no error when there is none.
	Get(key string) ([]byte, error)
	// Range calls f for every key that begins with prefix, in ascending order,
	// until f fails. value is valid only during the call.
	Range(prefix string, f func(key string, value []byte) error) error
}
