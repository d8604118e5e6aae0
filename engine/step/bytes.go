package step

import "encoding/binary"

// Numbers in the byte columns of states are little endian.

func appendInt64(dst []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(dst, uint64(v)) }

func int64At(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
