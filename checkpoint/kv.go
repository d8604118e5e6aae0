package checkpoint

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/leatio/leat/checkpoint/vfs"
	"go.etcd.io/bbolt"
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

func dbOptions(readOnly bool) *bbolt.Options {
	return &bbolt.Options{
		ReadOnly:       readOnly,
		Timeout:        dbLockTimeout,
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		NoStatistics:   true,
	}
}

// openKV opens store.db in dir, or makes a new one. A new one gets its name only
// when it is complete, so that a power loss during the first start leaves
// either nothing or a whole store.
func openKV(dir string) (kv, meta, error) {
	name := filepath.Join(dir, dbName)
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		if err := createKV(dir); err != nil {
			return kv{}, meta{}, err
		}
	} else if err != nil {
		return kv{}, meta{}, err
	}
	m, err := verifyKV(name)
	if err != nil {
		return kv{}, meta{}, err
	}
	if err := reserve(name, dbReserveBytes); err != nil {
		return kv{}, meta{}, err
	}
	db, err := bbolt.Open(name, 0o600, dbOptions(false))
	if err != nil {
		return kv{}, meta{}, fmt.Errorf("open %s: %w", name, err)
	}
	return kv{db}, m, nil
}

func createKV(dir string) error {
	tmp := filepath.Join(dir, dbNewName)
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bbolt.Open(tmp, 0o600, dbOptions(false))
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

// verifyKV walks all of store.db before bbolt opens it for writing, because
// bbolt trusts its pages and answers a flipped bit with a panic, some of them in
// goroutines of its own. Here a panic, and a fault in the mapped file, become
// ErrDamaged.
func verifyKV(name string) (m meta, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			m, err = meta{}, damaged(name, fmt.Errorf("%v", r))
		}
	}()
	db, err := bbolt.Open(name, 0o600, dbOptions(true))
	switch {
	case errors.Is(err, bbolt.ErrTimeout):
		return m, fmt.Errorf("%w: another program has %s open; stop it", ErrLocked, name)
	case isSystemError(err):
		return m, fmt.Errorf("open %s: %w", name, err)
	case err != nil:
		return m, damaged(name, err)
	}
	// Not deferred: after a panic a transaction may be open, and Close would
	// wait for it. The mapping of a damaged file is left to the exit.
	m, err = verifyTx(db)
	if cerr := db.Close(); err == nil && cerr != nil {
		return m, fmt.Errorf("close %s: %w", name, cerr)
	}
	if err != nil {
		return m, damaged(name, err)
	}
	return m, nil
}

func verifyTx(db *bbolt.DB) (m meta, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketMeta)
		if b == nil || tx.Bucket(bucketStreams) == nil || tx.Bucket(bucketEntries) == nil {
			return errors.New("a bucket is missing")
		}
		m, err = parseMeta(b.Get(keyMeta))
		if err != nil {
			return err
		}
		var digest uint64
		for id, name := range map[byte][]byte{digestStreams: bucketStreams, digestEntries: bucketEntries} {
			err := tx.Bucket(name).ForEach(func(k, v []byte) error {
				digest += digestOf(id, k, v)
				return nil
			})
			if err != nil {
				return err
			}
		}
		if digest != m.digest {
			return errors.New("the entries do not match their digest")
		}
		var errs []error
		for err := range tx.Check() {
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	return m, err
}

func damaged(name string, err error) error {
	return fmt.Errorf("%w: %s: %w; set the store aside (checkpoint.SetAside) and start with a new epoch", ErrDamaged, name, err)
}

// isSystemError tells trouble in reaching a file from trouble in its bytes.
func isSystemError(err error) bool {
	var pe *fs.PathError
	var se *os.SyscallError
	return errors.As(err, &pe) || errors.As(err, &se)
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
