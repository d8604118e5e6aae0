// Package columnar turns batches into the payload of a frame and back: each
// column in the smallest of a few encodings, then zstd over the whole where that
// shrinks it. docs/format/frame.md draws the bytes.
package columnar
