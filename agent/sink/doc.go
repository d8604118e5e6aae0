// Package sink delivers results on the gateway itself: sinks with place: edge.
// They work from the agent's disk, link or no link.
//
//	engine.Edge ── rows ──► Render ── messages ──► a stream of the store, committed with the input
//	                                                      │
//	                     Runner.Run ◄── Read, oldest first┘
//	                        │ Deliver, again after a pause when it fails
//	                        ▼
//	                     Outlet (mqtt, file) ──► Ack
//
// What a commit holds is delivered at least once: a crash between Deliver and
// the acknowledgement's way to the disk repeats it. Every object carries its _id,
// by which a receiver tells a repetition: equal ids are equal messages. It names agent, store epoch, pipeline, version, sink,
// record and position.
//
// A sink holds up nothing else. Its queue has a budget of bytes; beyond it the
// oldest messages are dropped and counted.
//
// The bytes of a queued record, all integers uvarints:
//
//	0  u8 format        1
//	1  messages         how many, then per message:
//	   length, topic
//	   length, payload
package sink
