// Package reference finds the reference tables of lookup steps beside a
// pipeline file: it tells the compiler what they are and gives fragments their content.
package reference

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
)

// ErrTable says that only a cloud node knows its result tables.
var ErrTable = errors.New("result tables are known to a cloud node only; name a file to try the pipeline here")

// Disk finds reference tables by path, relative to a directory, and remembers their content.
type Disk struct {
	dir     string
	content map[[32]byte][]byte
	tables  map[[32]byte]*lookup.Table
}

// NewDisk returns a resolver for the reference tables of a pipeline file in dir.
func NewDisk(dir string) *Disk {
	return &Disk{dir: dir, content: map[[32]byte][]byte{}, tables: map[[32]byte]*lookup.Table{}}
}

// Reference reads the table that a file names.
func (d *Disk) Reference(ref compile.LookupRef) (*compile.LookupInfo, error) {
	if ref.File == "" {
		return nil, ErrTable
	}
	path := ref.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.dir, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	columns := make([]lookup.Column, len(ref.Schema))
	for i := range ref.Schema {
		c := &ref.Schema[i]
		columns[i] = lookup.Column{Name: c.Name, Type: batch.Type(c.Type), Unit: c.Unit}
	}
	t, err := lookup.Parse(ref.File, data, columns)
	if err != nil {
		return nil, err
	}
	if _, err := t.Index(ref.Keys); err != nil {
		return nil, err
	}
	content := t.Append(nil)
	sum := sha256.Sum256(content)
	d.content[sum], d.tables[sum] = content, t
	return &compile.LookupInfo{SHA256: sum, Size: uint64(len(content))}, nil
}

// Lookup gives the content of a table that a plan names.
func (d *Disk) Lookup(l *plan.Lookup) (*lookup.Table, error) {
	if len(l.Sha256) == sha256.Size {
		if t := d.tables[[32]byte(l.Sha256)]; t != nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("reference table %s was not read", l.Name)
}

// Content gives the encoded content of all tables that were read, by their SHA-256.
func (d *Disk) Content() map[[32]byte][]byte { return d.content }
