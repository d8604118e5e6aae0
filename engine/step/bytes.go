package step

import (
	"encoding/binary"

	"github.com/leatio/leat/engine/batch"
)

// Numbers in the byte columns of states are little endian.

func appendInt64(dst []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(dst, uint64(v)) }

func int64At(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }

// appendZero adds a row with the zero value.
func appendZero(c *batch.Column) {
	n := c.Len()
	switch c.Type {
	case batch.Bool:
		c.Bools = append(c.Bools, false)
	case batch.Double:
		c.Doubles = append(c.Doubles, 0)
	case batch.String:
		if c.Dict == nil {
			c.Dict = batch.NewDict()
		}
		c.Codes = append(c.Codes, c.Dict.CodeString(""))
	case batch.Bytes:
		c.AppendBlob(nil)
	default:
		c.Ints = append(c.Ints, 0)
	}
	if c.Valid != nil {
		c.Valid = c.Valid.Append(n, true)
	}
}
