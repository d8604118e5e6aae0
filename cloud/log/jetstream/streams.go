package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	js "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

const (
	keysStream    = "KEYS"
	objectsStream = "OBJECTS"
	keyPrefix     = "k."
	headPrefix    = "o."
	chunkPrefix   = "c."

	createTry      = 2 * time.Second // a stream made before the server is ready gets no answer: ask again soon
	createTries    = 20
	createParallel = 8
)

func partitionStream(n int) string  { return fmt.Sprintf("P%d", n) }
func partitionSubject(n int) string { return fmt.Sprintf("p.%d", n) }

func baseStream(name string, maxBytes int64, subjects ...string) js.StreamConfig {
	return js.StreamConfig{
		Name:      name,
		Subjects:  subjects,
		Retention: js.LimitsPolicy,
		Storage:   js.FileStorage,
		Discard:   js.DiscardNew,
		MaxBytes:  maxBytes,
		Replicas:  1,
		// The server wants a window of at least 100 ms; it acts only on
		// messages with an id, and ours have none.
		Duplicates: 100 * time.Millisecond,
	}
}

func (s *Store) openStreams(ctx context.Context) error {
	s.parts = make([]js.Stream, s.cfg.Partitions)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(createParallel)
	for i := range s.parts {
		g.Go(func() (err error) {
			s.parts[i], err = s.openStream(ctx, baseStream(partitionStream(i), s.cfg.PartitionBytes, partitionSubject(i)))
			return err
		})
	}
	g.Go(func() (err error) {
		c := baseStream(keysStream, s.cfg.KeysBytes, keyPrefix+">")
		c.MaxMsgsPerSubject = 1
		s.keys, err = s.openStream(ctx, c)
		return err
	})
	g.Go(func() (err error) {
		c := baseStream(objectsStream, s.cfg.ObjectsBytes, headPrefix+">", chunkPrefix+">")
		c.MaxMsgsPerSubject = 1
		c.AllowDirect = true
		s.objects, err = s.openStream(ctx, c)
		return err
	})
	return g.Wait()
}

// openStream makes the stream, or takes the one there is and brings its limits up to date.
func (s *Store) openStream(ctx context.Context, cfg js.StreamConfig) (js.Stream, error) {
	var err error
	for range createTries {
		try, cancel := context.WithTimeout(ctx, createTry)
		var stream js.Stream
		stream, err = s.js.CreateOrUpdateStream(try, cfg)
		cancel()
		if err == nil {
			return stream, nil
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, js.ErrNoStreamResponse) {
			break
		}
	}
	return nil, fmt.Errorf("stream %s: %w", cfg.Name, err)
}
