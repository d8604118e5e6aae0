// Package datadir makes the directory in which a program keeps its data, and
// tells in one line what stands in its way: a path that cannot be made, a
// directory that cannot be written, a disk that is full.
package datadir

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Make makes the directory where it is missing, with mode 0700, and tries
// that it takes so many bytes; 0 tries nothing but the directory.
func Make(dir string, bytes int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return explain(dir, err)
	}
	if bytes == 0 {
		return nil
	}
	if err := try(filepath.Join(dir, ".room"), bytes); err != nil {
		return explain(dir, err)
	}
	return nil
}

// try writes a file of so many bytes to the disk and removes it.
func try(name string, bytes int) (err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, bytes))
	if err == nil {
		err = f.Sync()
	}
	return cmp.Or(err, f.Close(), os.Remove(name))
}

func explain(dir string, err error) error {
	next := "name another directory: data_dir in the config, or --data-dir"
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		next = "the disk is full: free some space, or " + next
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		next = "this user may not write there: grant it, or " + next
	}
	return fmt.Errorf("data directory %s: %w; %s", dir, err, next)
}
