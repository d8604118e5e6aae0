// Package vfs is the seam between the outbox and the disk: the few file
// operations that the checkpoint package uses on segment files. OS is the real
// thing; package crashfs has one in memory that forgets what was not synced and
// fails the operation it is told to fail.
//
// What an implementation promises about power loss, and no more:
//
//	File.Sync    the file's bytes and size survive; not its name
//	FS.SyncDir   creations, renames and removals in the directory survive
//
// Anything else may survive or not, in whole, in part, in any order.
package vfs

// FS is a file system. Names are slash-separated paths. Errors wrap io/fs's
// and the system's (syscall.ENOSPC) as package os does.
type FS interface {
	MkdirAll(dir string) error
	// Create makes an empty file for reading and writing, or empties one.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// List returns the names of the files in dir, sorted.
	List(dir string) ([]string, error)
	SyncDir(dir string) error
}

// File is an open file. ReadAt and WriteAt are those of io.ReaderAt and
// io.WriterAt and may be called concurrently.
type File interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
	Size() (int64, error)
	// Sync makes what was written durable, as fdatasync does.
	Sync() error
	Close() error
}
