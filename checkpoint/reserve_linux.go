package checkpoint

import (
	"errors"
	"os"
	"syscall"
)

// reserve gives the file its first n bytes on the disk. A full disk, or a file
// system that cannot, leaves the file as it is.
func reserve(name string, n int64) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < n {
		err = syscall.Fallocate(int(f.Fd()), 0, 0, n)
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINTR) {
			err = nil
		}
	}
	return errors.Join(err, f.Close())
}
