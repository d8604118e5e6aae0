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
	dir    string
	files  map[string][]byte
	tables map[[32]byte]*lookup.Table
}

// NewDisk returns a resolver for the reference tables of a pipeline file in dir.
func NewDisk(dir string) *Disk {
	return &Disk{dir: dir, files: map[string][]byte{}, tables: map[[32]byte]*lookup.Table{}}
}

// Reference reads the table that a file names.
func (d *Disk) Reference(ref compile.LookupRef) (*compile.LookupInfo, error) {
	if ref.File == "" { // its content is for the cloud node to find
		_, content, err := Encode(ref, ref.Table+".json", []byte("[]"))
		if err != nil {
			return nil, err
		}
		return &compile.LookupInfo{SHA256: sha256.Sum256(content), Size: uint64(len(content))}, nil
	}
	path := ref.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.dir, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, content, err := Encode(ref, ref.File, data)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	d.files[ref.File], d.tables[sum] = data, t
	return &compile.LookupInfo{SHA256: sum, Size: uint64(len(content))}, nil
}

// Encode reads what a pipeline wants of a file, whose name tells its format, and
// gives it as agents and workers take it.
func Encode(ref compile.LookupRef, name string, data []byte) (t *lookup.Table, content []byte, err error) {
	columns := make([]lookup.Column, len(ref.Schema))
	for i := range ref.Schema {
		c := &ref.Schema[i]
		columns[i] = lookup.Column{Name: c.Name, Type: batch.Type(c.Type), Unit: c.Unit}
	}
	if t, err = lookup.Parse(name, data, columns); err != nil {
		return nil, nil, err
	}
	if _, err := t.Index(ref.Keys); err != nil {
		return nil, nil, err
	}
	return t, t.Append(nil), nil
}

// Lookup gives the content of a table that a plan names.
func (d *Disk) Lookup(l *plan.Lookup) (*lookup.Table, error) {
	if l.Table != "" {
		return nil, fmt.Errorf("reference table %s: %w", l.Table, ErrTable)
	}
	if len(l.Sha256) == sha256.Size {
		if t := d.tables[[32]byte(l.Sha256)]; t != nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("reference table %s was not read", l.Name)
}

// Files gives the files that were read, by the names that the pipeline file uses.
func (d *Disk) Files() map[string][]byte { return d.files }
