package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	cloudlog "github.com/leatio/leat/cloud/log"
)

// layoutKey holds what cannot change once there is data.
const layoutKey = "layout"

type layout struct {
	Partitions int `json:"partitions"`
}

// checkLayout writes the number of partitions at the first start and refuses
// another one later: rows of a key would go to a partition that does not have its state.
func checkLayout(ctx context.Context, keys cloudlog.Keys, partitions int) error {
	for {
		b, _, err := keys.Get(ctx, layoutKey)
		if errors.Is(err, cloudlog.ErrNotFound) {
			if b, err = json.Marshal(layout{partitions}); err == nil {
				_, err = keys.Put(ctx, layoutKey, b, 0)
			}
			if errors.Is(err, cloudlog.ErrConflict) {
				continue // another node was faster
			}
			return err
		}
		var l layout
		if err := errors.Join(err, json.Unmarshal(b, &l)); err != nil {
			return fmt.Errorf("%s: %w", layoutKey, err)
		}
		if l.Partitions != partitions {
			return fmt.Errorf("partitions is %d, but this data directory was made with %d, which cannot change: set it back, or start with an empty directory", partitions, l.Partitions)
		}
		return nil
	}
}
