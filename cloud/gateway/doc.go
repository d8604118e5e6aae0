// Package gateway takes the frames of agents into the log.
//
//	stream ─► Recv ─► decode, split by key group ─┬─► appender of partition 3 ─► log
//	   ▲                                          └─► appender of partition 4 ─► log
//	   └── cumulative ack ◄── tracker: durable in every partition of the pipeline
//
// A pipeline uses spread neighbouring partitions. Each of them sees every frame's
// numbers and watermark, with or without rows, so that the sequence rule of
// the worker can be kept in each partition alone.
//
// An appender packs what waits into one record (a bundle), so that one fsync
// serves many agents. An append that failed, or whose outcome is unknown, is
// repeated before anything later of that partition: a frame that is durable therefore
// always stands behind the frame before it, and repeated entries are dropped by the worker.
//
// At the start of a stream the gateway asks the workers how far the lane is
// durable. It refuses a lane whose numbers or checksums contradict that: such
// an agent runs on a restored or cloned store.
package gateway
