package checkpoint

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/leatio/leat/checkpoint/vfs"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	dbName    = "store.db"
	dbNewName = "store.db.new"

	// dbReserveBytes is allocated for store.db in advance, so that positions
	// and acknowledgements can still be recorded on a full disk.
	dbReserveBytes = 1 << 20

	dbLockTimeout = time.Second
)

var (
	bucketMeta    = []byte("meta")
	bucketStreams = []byte("streams")
	bucketEntries = []byte("entries")
	keyMeta       = []byte("meta")
)

// The bucket's part in digestOf.
const (
	digestStreams byte = 1
	digestEntries byte = 2
)

// kv is store.db.
type kv struct{ db *bbolt.DB }

// change is one transaction. The digest is kept up on the way.
type change struct {
	streams, entries *bbolt.Bucket
	digest           uint64
}

func dbOptions() *bbolt.Options {
	return &bbolt.Options{
		Timeout:        dbLockTimeout,
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		NoStatistics:   true,
	}
}

// openKV opens store.db in dir, or makes a new one. A new one gets its name only
// when it is complete, so that a power loss during the first start leaves
// either nothing or a whole store.
func openKV(dir string) (k kv, m meta, notes []string, err error) {
	name := filepath.Join(dir, dbName)
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		if err := createKV(dir); err != nil {
			return k, m, nil, err
		}
	} else if err != nil {
		return k, m, nil, err
	}
	if m, notes, err = verifyKV(name); err != nil {
		return k, m, nil, err
	}
	if err := reserve(name, dbReserveBytes); err != nil {
		return k, m, nil, err
	}
	db, err := bbolt.Open(name, 0o600, dbOptions())
	if errors.Is(err, bolterrors.ErrTimeout) {
		return k, m, nil, fmt.Errorf("%w: another program has %s open; stop it", ErrLocked, name)
	}
	if err != nil {
		return k, m, nil, fmt.Errorf("open %s: %w", name, err)
	}
	return kv{db}, m, notes, nil
}

func createKV(dir string) error {
	tmp := filepath.Join(dir, dbNewName)
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bbolt.Open(tmp, 0o600, dbOptions())
	if err != nil {
		return fmt.Errorf("create %s: %w", tmp, err)
	}
	m := meta{}
	rand.Read(m.id[:]) // never fails: crypto/rand
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range [][]byte{bucketMeta, bucketStreams, bucketEntries} {
			if _, err := tx.CreateBucket(b); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(keyMeta, appendMeta(nil, m))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("create %s: %w", tmp, err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, dbName)); err != nil {
		return err
	}
	// The directory may itself be new.
	return errors.Join(vfs.OS{}.SyncDir(dir), vfs.OS{}.SyncDir(filepath.Dir(dir)))
}

// verifyKV reads all of store.db without trusting it and without bbolt.
func verifyKV(name string) (m meta, notes []string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return m, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return m, nil, err
	}
	m, notes, err = verifyBolt(f, info.Size())
	var pe *fs.PathError
	if err != nil && !errors.As(err, &pe) { // not an error of reading
		err = damaged(name, err)
	}
	return m, notes, err
}

// verifyBolt checks a bbolt file's structure and that it holds our buckets,
// with exactly what the last transaction left in them.
func verifyBolt(r io.ReaderAt, size int64) (m meta, notes []string, err error) {
	f, err := newBoltFile(r, size)
	if err != nil {
		return m, nil, err
	}
	buckets := map[string][]byte{}
	err = f.walk(f.root, nil, nil, 0, func(key, value []byte, bucket bool) error {
		if !bucket {
			return fmt.Errorf("%q is no bucket", key)
		}
		buckets[string(key)] = value
		return nil
	})
	if err != nil {
		return m, nil, err
	}
	var metaRow []byte
	var digest uint64
	for _, b := range []struct {
		name  []byte
		visit func(key, value []byte)
	}{
		{bucketMeta, func(_, value []byte) { metaRow = value }},
		{bucketStreams, func(key, value []byte) { digest += digestOf(digestStreams, key, value) }},
		{bucketEntries, func(key, value []byte) { digest += digestOf(digestEntries, key, value) }},
	} {
		value, ok := buckets[string(b.name)]
		if !ok {
			return m, nil, fmt.Errorf("the bucket %q is missing", b.name)
		}
		err := f.bucket(value, func(key, value []byte, bucket bool) error {
			if bucket {
				return fmt.Errorf("%q is a bucket", key)
			}
			b.visit(key, value)
			return nil
		})
		if err != nil {
			return m, nil, fmt.Errorf("bucket %q: %w", b.name, err)
		}
	}
	if m, err = parseMeta(metaRow); err != nil {
		return m, nil, err
	}
	if len(buckets) != 3 || digest != m.digest {
		return m, nil, errors.New("the entries do not match their digest")
	}
	if f.oneMeta {
		notes = append(notes, "one of its two meta pages is invalid: if a power loss did not tear it, the last commit is lost")
	}
	return m, notes, nil
}

func damaged(name string, err error) error {
	return fmt.Errorf("%w: %s: %w; set the store aside (checkpoint.SetAside) and start with a new epoch", ErrDamaged, name, err)
}

func (k kv) close() error { return k.db.Close() }

// update runs one transaction, durable on return, which ends by writing m with
// the new digest. m is updated when it succeeds.
func (k kv) update(m *meta, f func(*change) error) error {
	next := *m
	err := k.db.Update(func(tx *bbolt.Tx) error {
		c := change{tx.Bucket(bucketStreams), tx.Bucket(bucketEntries), m.digest}
		if err := f(&c); err != nil {
			return err
		}
		next.digest = c.digest
		return tx.Bucket(bucketMeta).Put(keyMeta, appendMeta(nil, next))
	})
	if err == nil {
		*m = next
	}
	return err
}

func (c *change) putRow(name string, r row) error {
	return c.put(c.streams, digestStreams, []byte(name), appendRow(nil, r))
}

func (c *change) deleteRow(name string) error {
	return c.put(c.streams, digestStreams, []byte(name), nil)
}

func (c *change) putEntry(e Entry) error {
	return c.put(c.entries, digestEntries, []byte(e.Key), e.Value)
}

// put stores a value, or deletes the key when the value is nil.
func (c *change) put(b *bbolt.Bucket, bucket byte, key, value []byte) error {
	if old := b.Get(key); old != nil {
		c.digest -= digestOf(bucket, key, old)
	}
	if value == nil {
		return b.Delete(key)
	}
	c.digest += digestOf(bucket, key, value)
	return b.Put(key, value)
}

// rows calls f for each stream.
func (k kv) rows(f func(name string, r row) error) error {
	return k.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketStreams).ForEach(func(key, value []byte) error {
			r, err := parseRow(value)
			if err != nil {
				return fmt.Errorf("stream %q: %w", key, err)
			}
			return f(string(key), r)
		})
	})
}

// get returns a copy of an entry, nil when there is none.
func (k kv) get(key string) (value []byte, err error) {
	err = k.db.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket(bucketEntries).Get([]byte(key)); v != nil {
			value = append([]byte{}, v...)
		}
		return nil
	})
	return value, err
}

// list returns copies of the entries under a prefix, by key.
func (k kv) list(prefix string) (out []Entry, err error) {
	err = k.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketEntries).Cursor()
		for key, v := c.Seek([]byte(prefix)); key != nil && strings.HasPrefix(string(key), prefix); key, v = c.Next() {
			out = append(out, Entry{Key: string(key), Value: append([]byte{}, v...)})
		}
		return nil
	})
	return out, err
}
