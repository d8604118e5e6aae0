package reference

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
)

func TestDisk(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sites.csv"), []byte("id,site,other\na,north,1\nb,south,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "twice.csv"), []byte("id,site\na,north\na,south\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ref := compile.LookupRef{File: "sites.csv", Keys: []string{"id"}, Schema: []plan.SourceColumn{
		{Name: "id", Type: uint32(batch.String)}, {Name: "site", Type: uint32(batch.String)},
	}}
	d := NewDisk(dir)
	info, err := d.Reference(ref)
	if err != nil {
		t.Fatal(err)
	}
	table, err := d.Lookup(&plan.Lookup{Name: "sites.csv", Sha256: info.SHA256[:]})
	if err != nil || table.Rows() != 2 {
		t.Fatalf("%v, %v", table, err)
	}
	if _, content, err := Encode(ref, "sites.csv", d.Files()["sites.csv"]); err != nil || uint64(len(content)) != info.Size {
		t.Errorf("%d bytes, want %d; %v", len(content), info.Size, err)
	} else if back, err := lookup.ParseTable(content); err != nil || back.Rows() != 2 {
		t.Errorf("the content does not read back: %v", err)
	}
	if _, err := d.Lookup(&plan.Lookup{Name: "x", Sha256: make([]byte, 32)}); err == nil {
		t.Error("a table that was not read is given")
	}
	ref.File = "twice.csv"
	if _, err := d.Reference(ref); err == nil {
		t.Error("a table with two rows of one key is taken")
	}
	ref.File = "missing.csv"
	if _, err := d.Reference(ref); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
	ref.File, ref.Table = "", "sites"
	if info, err = d.Reference(ref); err != nil {
		t.Errorf("a result table: %v", err)
	}
	if _, err := d.Lookup(&plan.Lookup{Name: "sites", Table: "sites", Sha256: info.SHA256[:]}); !errors.Is(err, ErrTable) {
		t.Errorf("the content of a result table: %v", err)
	}
}
