package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// openError gives what the system refused a next step.
func openError(dir string, err error) error {
	var step string
	switch {
	case errors.Is(err, ErrLocked), errors.Is(err, ErrDamaged), errors.Is(err, ErrRolledBack):
		return err // these say theirs
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		step = "the disk is full: free some megabytes and start again"
	case errors.Is(err, syscall.EROFS):
		step = "the file system is read-only: remount it, or use another directory"
	case errors.Is(err, fs.ErrPermission):
		step = "run as the directory's owner, or change its owner or mode"
	case errors.Is(err, syscall.ENOTDIR):
		step = "it, or a parent of it, is a file: use another directory"
	case errors.Is(err, syscall.EIO):
		step = "the disk reports an error: check it, and the system's log"
	default:
		return fmt.Errorf("checkpoint: open %s: %w", dir, err)
	}
	return fmt.Errorf("checkpoint: open %s: %w; %s", dir, err, step)
}
