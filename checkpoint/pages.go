package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// The part of bbolt's file format (version 2) that is needed to read a file
// without trusting a byte of it. bbolt itself trusts its pages and answers a
// flipped bit with a panic or a fault in its mapping, some of them in
// goroutines of its own where nobody can recover them. So its file is walked
// here before bbolt sees it.
const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	boltNoFreelist = ^uint64(0)

	boltHeaderBytes  = 16
	boltElementBytes = 16
	boltMetaBytes    = 64
	boltBucketBytes  = 16

	boltBranch     = 0x01
	boltLeaf       = 0x02
	boltBucketFlag = 0x01

	boltMaxDepth = 32
)

// boltFile is a bbolt file under suspicion.
type boltFile struct {
	r        io.ReaderAt
	size     int64
	pageSize int64
	root     uint64
	high     uint64          // pages from here on are not in use
	seen     map[uint64]bool // pages visited: none may be reached twice
	oneMeta  bool            // one of the two meta pages is invalid
}

type boltMeta struct{ pageSize, root, freelist, high, tx uint64 }

func parseBoltMeta(b []byte) (m boltMeta, ok bool) {
	if len(b) < boltHeaderBytes+boltMetaBytes {
		return m, false
	}
	b = b[boltHeaderBytes:]
	h := fnv.New64a()
	_, _ = h.Write(b[:56]) // never fails
	if binary.LittleEndian.Uint32(b) != boltMagic || binary.LittleEndian.Uint32(b[4:]) != boltVersion || binary.LittleEndian.Uint64(b[56:]) != h.Sum64() {
		return m, false
	}
	return boltMeta{
		pageSize: uint64(binary.LittleEndian.Uint32(b[8:])),
		root:     binary.LittleEndian.Uint64(b[16:]),
		freelist: binary.LittleEndian.Uint64(b[32:]),
		high:     binary.LittleEndian.Uint64(b[40:]),
		tx:       binary.LittleEndian.Uint64(b[48:]),
	}, true
}

// newBoltFile reads the two meta pages, of which the later one counts.
func newBoltFile(r io.ReaderAt, size int64) (*boltFile, error) {
	f := &boltFile{r: r, size: size, seen: map[uint64]bool{}}
	first, ok0, err := f.metaAt(0)
	if err != nil {
		return nil, err
	}
	second, ok1 := boltMeta{}, false
	for pageSize := int64(1 << 10); pageSize <= 16<<20 && !ok1; pageSize <<= 1 {
		if ok0 && uint64(pageSize) != first.pageSize {
			continue
		}
		if second, ok1, err = f.metaAt(pageSize); err != nil {
			return nil, err
		}
		ok1 = ok1 && second.pageSize == uint64(pageSize)
	}
	m := first
	switch {
	case !ok0 && !ok1:
		return nil, errors.New("both meta pages are invalid")
	case !ok0 || ok1 && second.tx > first.tx:
		m = second
	}
	f.oneMeta = !ok0 || !ok1
	f.pageSize, f.root, f.high = int64(m.pageSize), m.root, m.high
	if m.pageSize < 1<<10 || m.pageSize > 16<<20 || m.pageSize&(m.pageSize-1) != 0 || m.freelist != boltNoFreelist {
		return nil, errors.New("the meta page makes no sense")
	}
	return f, nil
}

func (f *boltFile) metaAt(off int64) (boltMeta, bool, error) {
	var b [boltHeaderBytes + boltMetaBytes]byte
	if off+int64(len(b)) > f.size {
		return boltMeta{}, false, nil
	}
	if _, err := f.r.ReadAt(b[:], off); err != nil {
		return boltMeta{}, false, err
	}
	m, ok := parseBoltMeta(b[:])
	return m, ok, nil
}

// boltVisit is called for each element of a leaf.
type boltVisit func(key, value []byte, bucket bool) error

// page reads a page with its overflow, which is never more than the file.
func (f *boltFile) page(id uint64) ([]byte, error) {
	if id < 2 || id >= f.high || id >= uint64(f.size/f.pageSize) {
		return nil, fmt.Errorf("page %d is out of bounds", id)
	}
	var head [boltHeaderBytes]byte
	if _, err := f.r.ReadAt(head[:], int64(id)*f.pageSize); err != nil {
		return nil, err
	}
	n := 1 + uint64(binary.LittleEndian.Uint32(head[12:]))
	if id+n > f.high || id+n > uint64(f.size/f.pageSize) {
		return nil, fmt.Errorf("page %d overflows the file", id)
	}
	if got := binary.LittleEndian.Uint64(head[:]); got != id {
		return nil, fmt.Errorf("page %d says that it is page %d", id, got)
	}
	for i := range n {
		if f.seen[id+i] {
			return nil, fmt.Errorf("page %d is in use twice", id+i)
		}
		f.seen[id+i] = true
	}
	b := make([]byte, int64(n)*f.pageSize)
	_, err := f.r.ReadAt(b, int64(id)*f.pageSize)
	return b, err
}

// walk visits the elements of the tree at a page. Its keys lie in [low, high),
// without bound where these are nil.
func (f *boltFile) walk(id uint64, low, high []byte, depth int, visit boltVisit) error {
	if depth > boltMaxDepth {
		return errors.New("the tree is too deep")
	}
	b, err := f.page(id)
	if err != nil {
		return err
	}
	if flags := binary.LittleEndian.Uint16(b[8:]); flags == boltLeaf {
		err = leafElements(b, low, high, visit)
	} else if flags == boltBranch {
		err = f.branch(b, low, high, depth, visit)
	} else {
		err = fmt.Errorf("it has the type %#x", flags)
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

func (f *boltFile) branch(b, low, high []byte, depth int, visit boltVisit) error {
	count := int(binary.LittleEndian.Uint16(b[10:]))
	if count == 0 || boltHeaderBytes+count*boltElementBytes > len(b) {
		return fmt.Errorf("it cannot have %d elements", count)
	}
	key := func(i int) ([]byte, error) {
		e := b[boltHeaderBytes+i*boltElementBytes:]
		return boltBytes(e, binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint32(e[4:]))
	}
	k, err := key(0)
	for i := range count {
		if err != nil {
			return err
		}
		if !boltOrdered(k, low, high, i == 0) {
			return fmt.Errorf("its key %d is out of order", i)
		}
		low = k
		next := high
		if i+1 < count {
			if next, err = key(i + 1); err != nil {
				return err
			}
			k = next
		}
		child := binary.LittleEndian.Uint64(b[boltHeaderBytes+i*boltElementBytes+8:])
		if err := f.walk(child, low, next, depth+1, visit); err != nil {
			return err
		}
	}
	return nil
}

func leafElements(b, low, high []byte, visit boltVisit) error {
	count := int(binary.LittleEndian.Uint16(b[10:]))
	if boltHeaderBytes+count*boltElementBytes > len(b) {
		return fmt.Errorf("it cannot have %d elements", count)
	}
	for i := range count {
		e := b[boltHeaderBytes+i*boltElementBytes:]
		flags, pos := binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint32(e[4:])
		keyBytes, valueBytes := binary.LittleEndian.Uint32(e[8:]), binary.LittleEndian.Uint32(e[12:])
		if flags&^boltBucketFlag != 0 {
			return fmt.Errorf("its element %d has the flags %#x", i, flags)
		}
		key, err := boltBytes(e, pos, keyBytes)
		if err != nil {
			return err
		}
		value, err := boltBytes(e[uint64(pos)+uint64(keyBytes):], 0, valueBytes)
		if err != nil {
			return err
		}
		if !boltOrdered(key, low, high, i == 0) {
			return fmt.Errorf("its key %d is out of order", i)
		}
		low = key
		if err := visit(key, value, flags == boltBucketFlag); err != nil {
			return err
		}
	}
	return nil
}

func boltBytes(b []byte, pos, n uint32) ([]byte, error) {
	if uint64(pos)+uint64(n) > uint64(len(b)) {
		return nil, errors.New("an element reaches beyond it")
	}
	return b[pos:][:n:n], nil
}

// boltOrdered says whether a key is in [low, high), or in (low, high) when it is
// not the first of its page.
func boltOrdered(key, low, high []byte, first bool) bool {
	if low != nil {
		if c := bytes.Compare(low, key); c > 0 || c == 0 && !first {
			return false
		}
	}
	return high == nil || bytes.Compare(key, high) < 0
}

// bucket visits the elements of a bucket, given its value in its parent.
func (f *boltFile) bucket(value []byte, visit boltVisit) error {
	if len(value) < boltBucketBytes {
		return errors.New("a bucket is cut off")
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return f.walk(root, nil, nil, 0, visit)
	}
	b := value[boltBucketBytes:]
	if len(b) < boltHeaderBytes || binary.LittleEndian.Uint16(b[8:]) != boltLeaf {
		return errors.New("a bucket's page is invalid")
	}
	return leafElements(b, nil, nil, visit)
}
