package cloud

import (
	"context"

	"github.com/leatio/leat/cloud/worker"
)

// workers are the partitions' owners in this process, as the gateway asks them.
type workers []*worker.Worker

// Lane waits until the partition's worker has applied the record at offset, then gives the lane.
func (w workers) Lane(ctx context.Context, partition int, offset uint64, k worker.LaneKey) (worker.LaneView, bool, error) {
	if err := w[partition].WaitApplied(ctx, offset); err != nil {
		return worker.LaneView{}, false, err
	}
	v, ok := w[partition].Lane(k)
	return v, ok, nil
}

// Watermark is the one up to which a pipeline's windows have fired.
func (w workers) Watermark(partition int, pipeline string, version uint64) int64 {
	return w[partition].Watermark(pipeline, version)
}

// Epoch is the owner epoch of a partition.
func (w workers) Epoch(partition int) uint64 { return w[partition].Epoch() }
