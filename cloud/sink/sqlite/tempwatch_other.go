//go:build !linux

package sqlite

// tempBytes is not known here; temporary files are bounded by the time limit.
func tempBytes() int64 { return 0 }
