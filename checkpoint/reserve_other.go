//go:build unix && !linux

package checkpoint

// reserve does nothing: there is no portable way to allocate a file's blocks.
func reserve(string, int64) error { return nil }
