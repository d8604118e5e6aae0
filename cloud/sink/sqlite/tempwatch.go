package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/leatio/leat/cloud/sink"
)

const watchEvery = 50 * time.Millisecond

// watchTemp ends the context when SQLite's temporary files grow over the
// limit. SQLite has no limit for them of its own. stop waits for the watch's end.
func (db *DB) watchTemp(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if n := tempBytes(); n > db.cfg.TempBytes {
				cancel(fmt.Errorf("%w: the temporary files of all queries have %d bytes, at most %d are allowed: sort, group or recurse over less", sink.ErrLimit, n, db.cfg.TempBytes))
				return
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
	}
}
