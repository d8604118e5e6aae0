// Package jetstream implements the cloud's log, keys and objects on a NATS
// JetStream server that runs inside the process.
//
//	Dir/
//	├── LOCK                 held while the store is open; contains the holder's process id
//	└── jetstream/           files of the server
//	    ├── P0 … P15         one stream per partition: subject p.<partition>, offset = stream sequence
//	    ├── KEYS             subject k.<name>, the last message per subject counts, revision = stream sequence
//	    └── OBJECTS          subject o.<name>: the head of an object; c.<id>.<n>: chunk n of a large one
//
// The server has no listener: the only way to it is a pipe within the process.
// It fsyncs every write before it answers (SyncAlways). On Linux the
// directory entry of a new block file reaches the disk with the file's first fsync
// (ext4, XFS and Btrfs do so); JetStream itself does not sync the directory at that moment.
//
// Streams refuse new messages when they are full, keep no deduplication
// window and have no named consumers. A reader is an unfiltered ephemeral consumer
// that starts at our own offset; it is made again, from the next offset,
// whenever it fails, and every record's offset is checked for
// contiguity, so that a record that the server has lost is an error and never a silent gap.
//
// A deleted key leaves a marker for good: without it the revision would come back, and after a
// crash the value, which the server only takes for displaced as long as something displaces it.
package jetstream
