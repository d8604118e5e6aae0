package decode

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/leatio/leat/engine/batch"
)

// rawFormat takes a record as it is into the only column.
type rawFormat struct {
	*Decoder
	col *column // nil where only hidden columns are used
}

func newRaw(d *Decoder) (*rawFormat, error) {
	f := &rawFormat{Decoder: d}
	for name, c := range namesOf(d).byName {
		if f.col != nil || c.typ != batch.String && c.typ != batch.Bytes {
			return nil, errors.New("decode: format raw needs one column of type bytes or string, not " + name + " (" + c.typ.String() + ")")
		}
		f.col = c
	}
	return f, nil
}

func (f *rawFormat) record(p []byte) error {
	f.startRow()
	if f.col != nil {
		f.first(f.col)
		if f.col.typ == batch.Bytes {
			f.col.setBytes(f.rows, p)
		} else if err := f.col.setString(f.rows, p); err != nil {
			return err
		}
	}
	f.endRow(f.inputs)
	return nil
}

// toUTF8 puts U+FFFD in the place of what is no UTF-8.
func toUTF8(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return bytes.ToValidUTF8(text, []byte("\uFFFD"))
}
