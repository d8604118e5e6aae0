// Package crashfs is a file system in memory for tests of what must survive a
// crash. It keeps what a disk would hold next to what programs see:
//
//	Create, WriteAt, Truncate, Rename, Remove   change what programs see
//	File.Sync, SyncDir                          bring it to the disk
//	Crash                                       leaves only what is on the disk,
//	                                            and, at random, parts of the rest
//
// It can also fail one operation, with or without all that follow, and be of a
// bounded size.
package crashfs

import (
	"bytes"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"syscall"

	"github.com/leatio/leat/checkpoint/vfs"
)

// sector is what a disk writes whole.
const sector = 512

// FS is the file system. The zero value is empty and ready.
type FS struct {
	mu      sync.Mutex
	dirs    map[string]bool
	seen    map[string]*inode // as programs see it
	disk    map[string]*inode // names that survive
	pending []rename          // changes of names since their directory was synced

	ops      int // done so far
	failAt   int // the operation that fails, 0 = none
	failWith error
	failAll  bool // and all after it
	dead     bool // after Crash

	capacity int64                 // 0 = without bound
	hook     func(op, name string) // before each operation
}

var _ vfs.FS = (*FS)(nil)

// inode is a file. The unsynced changes of its bytes are kept in order.
type inode struct {
	data    []byte
	disk    []byte
	changes []change
}

// change is one write, or a truncation when bytes is nil.
type change struct {
	off   int64
	bytes []byte
}

// rename puts file at to (unless nil) and takes away from (unless empty).
type rename struct {
	from, to string
	file     *inode
}

// FailAt makes the n-th operation from now on fail with err; with all also the
// operations after it. n = 0 clears.
func (f *FS) FailAt(n int, err error, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failAt, f.failWith, f.failAll = 0, err, all
	if n > 0 {
		f.failAt = f.ops + n
	}
}

// Hook calls h before each operation, with the operation's name.
func (f *FS) Hook(h func(op, name string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = h
}

// Ops counts the operations so far.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Bytes is the sum of the files' sizes.
func (f *FS) Bytes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int(f.size())
}

// SetCapacity bounds the sum of the files' sizes; writes beyond it give ENOSPC.
func (f *FS) SetCapacity(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.capacity = n
}

// Corrupt flips the bits of mask in one byte, as programs and disk see it.
func (f *FS) Corrupt(name string, off int64, mask byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.seen[name]
	n.data = bytes.Clone(n.data)
	n.data[off] ^= mask
	n.disk, n.changes = bytes.Clone(n.data), nil
}

// Cut shortens a file, as programs and disk see it.
func (f *FS) Cut(name string, size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.seen[name]
	n.data = bytes.Clone(n.data[:size])
	n.disk, n.changes = bytes.Clone(n.data), nil
}

// Crash returns the file system as it stands after a power loss. This one
// fails every further operation. Without rng nothing survives that was not
// synced; with it, each change survives in whole, in part (by sectors), or not
// at all.
func (f *FS) Crash(rng *rand.Rand) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
	after := &FS{dirs: f.dirs, seen: map[string]*inode{}, disk: map[string]*inode{}, capacity: f.capacity}
	if rng != nil {
		for _, r := range f.pending {
			if rng.IntN(2) == 0 {
				r.apply(f.disk)
			}
		}
	}
	for name, n := range f.disk {
		data := bytes.Clone(n.disk)
		if rng != nil {
			for _, c := range n.changes {
				data = c.survive(data, rng)
			}
		}
		file := &inode{data: data, disk: bytes.Clone(data)}
		after.seen[name], after.disk[name] = file, file
	}
	return after
}

func (c change) survive(data []byte, rng *rand.Rand) []byte {
	whole := rng.IntN(3)
	if whole == 0 {
		return data
	}
	if c.bytes == nil {
		return resize(data, c.off)
	}
	for i := 0; i < len(c.bytes); {
		end := min(len(c.bytes), i+sector-int(c.off+int64(i))%sector)
		if whole == 1 || rng.IntN(2) == 0 {
			data = put(data, c.bytes[i:end], c.off+int64(i))
		}
		i = end
	}
	return data
}

func (r rename) apply(names map[string]*inode) {
	if r.from != "" {
		delete(names, r.from)
	}
	if r.to != "" {
		names[r.to] = r.file
	}
}

func resize(data []byte, size int64) []byte {
	if int64(len(data)) >= size {
		return data[:size]
	}
	return append(data, make([]byte, size-int64(len(data)))...)
}

func put(data, p []byte, off int64) []byte {
	if end := off + int64(len(p)); end > int64(len(data)) {
		data = resize(data, end)
	}
	copy(data[off:], p)
	return data
}

// begin counts an operation and says whether it fails. f.mu is held.
func (f *FS) begin(op, name string) error {
	if f.hook != nil {
		f.hook(op, name)
	}
	if f.dirs == nil {
		f.dirs, f.seen, f.disk = map[string]bool{}, map[string]*inode{}, map[string]*inode{}
	}
	f.ops++
	if f.dead || f.failAt != 0 && (f.ops == f.failAt || f.failAll && f.ops > f.failAt) {
		err := f.failWith
		if err == nil {
			err = syscall.EIO
		}
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// MkdirAll implements vfs.FS. Directories are durable at once.
func (f *FS) MkdirAll(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin("mkdir", dir); err != nil {
		return err
	}
	f.dirs[dir] = true
	return nil
}

// Create implements vfs.FS.
func (f *FS) Create(name string) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin("create", name); err != nil {
		return nil, err
	}
	n := f.seen[name]
	if n == nil {
		n = &inode{}
		f.seen[name] = n
		f.pending = append(f.pending, rename{to: name, file: n})
	} else {
		n.truncate(0)
	}
	return &file{f, name, n}, nil
}

// Open implements vfs.FS.
func (f *FS) Open(name string) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin("open", name); err != nil {
		return nil, err
	}
	n := f.seen[name]
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	return &file{f, name, n}, nil
}

// Rename implements vfs.FS.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin("rename", from); err != nil {
		return err
	}
	n := f.seen[from]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: syscall.ENOENT}
	}
	r := rename{from, to, n}
	r.apply(f.seen)
	f.pending = append(f.pending, r)
	return nil
}

// Remove implements vfs.FS.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin("remove", name); err != nil {
		return err
	}
	if f.seen[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOENT}
	}
	r := rename{from: name}
	r.apply(f.seen)
	f.pending = append(f.pending, r)
	return nil
}

// List implements vfs.FS.
func (f *FS) List(dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin("list", dir); err != nil {
		return nil, err
	}
	var names []string
	for name := range f.seen {
		if path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir implements vfs.FS.
func (f *FS) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin("syncdir", dir); err != nil {
		return err
	}
	f.pending = slices.DeleteFunc(f.pending, func(r rename) bool {
		in := path.Dir(r.to) == dir || path.Dir(r.from) == dir
		if in {
			r.apply(f.disk)
		}
		return in
	})
	return nil
}

func (n *inode) truncate(size int64) {
	n.data = resize(n.data, size)
	n.changes = append(n.changes, change{off: size})
}

type file struct {
	fs   *FS
	name string
	node *inode
}

func (h *file) ReadAt(p []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.fs.begin("read", h.name); err != nil {
		return 0, err
	}
	if off >= int64(len(h.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes the first half of p when it is the operation that fails.
func (h *file) WriteAt(p []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	err := h.fs.begin("write", h.name)
	if grow := off + int64(len(p)) - int64(len(h.node.data)); err == nil && grow > 0 && h.fs.capacity > 0 && h.fs.size()+grow > h.fs.capacity {
		err = &fs.PathError{Op: "write", Path: h.name, Err: syscall.ENOSPC}
	}
	if h.fs.dead {
		return 0, err
	}
	if err != nil {
		p = p[:len(p)/2]
	}
	h.node.data = put(h.node.data, p, off)
	h.node.changes = append(h.node.changes, change{off, append([]byte{}, p...)})
	return len(p), err
}

func (f *FS) size() int64 {
	var n int64
	for _, i := range f.seen {
		n += int64(len(i.data))
	}
	return n
}

func (h *file) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.fs.begin("truncate", h.name); err != nil {
		return err
	}
	h.node.truncate(size)
	return nil
}

func (h *file) Size() (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.fs.begin("size", h.name); err != nil {
		return 0, err
	}
	return int64(len(h.node.data)), nil
}

func (h *file) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.fs.begin("sync", h.name); err != nil {
		return err
	}
	h.node.disk, h.node.changes = bytes.Clone(h.node.data), nil
	return nil
}

// Close never fails.
func (h *file) Close() error { return nil }
