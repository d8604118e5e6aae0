package step

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
)

func sites(t testing.TB, csv string) *lookup.Table {
	t.Helper()
	tab, err := lookup.Parse("sites.csv", []byte(csv), []lookup.Column{
		{Name: "id", Type: batch.String}, {Name: "no", Type: batch.Int}, {Name: "name", Type: batch.String}, {Name: "limit", Type: batch.Double},
		{Name: "floor", Type: batch.Int}, {Name: "live", Type: batch.Bool}, {Name: "key", Type: batch.Bytes},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

const sitesCSV = `id,no,name,limit,floor,live,key
site-0,0,north,1.5,1,true,AA==
site-0,1,north again,,2,false,
site-1,1,,2.5,,,AQI=
site-2,0,south,3.5,4,true,
`

var joined = []string{"name", "limit", "floor", "live", "key"}

func joinedSchema() batch.Schema {
	return append(append(batch.Schema{}, rowSchema...), batch.Field{Name: "name", Type: batch.String}, batch.Field{Name: "limit", Type: batch.Double},
		batch.Field{Name: "floor", Type: batch.Int}, batch.Field{Name: "live", Type: batch.Bool}, batch.Field{Name: "key", Type: batch.Bytes})
}

func TestJoin(t *testing.T) {
	want := map[string]string{"site-0 0": "north 1.5 1 true x00", "site-0 1": "north again - 2 false -", "site-1 1": "- 2.5 - - x0102", "site-2 0": "south 3.5 4 true -"}
	tab := sites(t, sitesCSV)
	for _, drop := range []bool{false, true} {
		p := &plan.LookupJoin{Keys: byKeys, On: []string{"id", "no"}, Columns: joined, DropMissing: drop}
		rows := randomRows(rand.New(rand.NewPCG(9, 9)), 300, 4, second, 0)
		var lines []string
		for _, r := range rows {
			added, ok := want[fmt.Sprint(r.site, " ", r.n)]
			if !ok {
				added = "- - - - -"
			}
			if line := strings.Split(lineOf(r), " @"); ok || !drop {
				lines = append(lines, fmt.Sprintf("%s %s @%s", line[0], added, line[1]))
			}
		}
		mk := func() (Step, error) { return NewJoin(p, rowSchema, joinedSchema(), tab, false) }
		diff(t, fmt.Sprint("drop ", drop, ", one by one"), run(t, mk, rows, byOne()), lines)
		for seed := range uint64(5) {
			diff(t, fmt.Sprint("drop ", drop, ", seed ", seed), run(t, mk, rows, random(seed, 0)), lines)
		}
	}
}

// TestJoinByOneString remembers by code, also what is missing, until dictionary or table change.
func TestJoinByOneString(t *testing.T) {
	p := &plan.LookupJoin{Keys: []uint32{0}, On: []string{"name"}, Columns: []string{"id"}}
	out := append(append(batch.Schema{}, rowSchema...), batch.Field{Name: "id", Type: batch.String})
	j, err := NewJoin(p, rowSchema, out, sites(t, sitesCSV), false)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	emit := func(b *batch.Batch, _ []int64) error {
		for n := range b.Len() {
			c := &b.Cols[len(rowSchema)]
			if i := rowOf(b, n); c.Null(i) {
				got = append(got, "-")
			} else {
				got = append(got, c.Str(i))
			}
		}
		return nil
	}
	give := func(d *batch.Dict, names ...string) {
		var rows []row
		for _, n := range names {
			rows = append(rows, row{site: n})
		}
		b, wms := batchOf(rows, d, batch.NewDict())
		if err := j.Process(b, wms, emit); err != nil {
			t.Fatal(err)
		}
	}
	d := batch.NewDict()
	give(d, "south", "nowhere", "south", "")
	give(d, "nowhere", "north")
	give(batch.NewDict(), "north", "south")
	if err := j.SetTable(sites(t, "id,no,name,limit,floor,live,key\nnew,0,nowhere,,,,\n")); err != nil {
		t.Fatal(err)
	}
	give(d, "south", "nowhere")
	if s := strings.Join(got, " "); s != "site-2 - site-2 - - site-0 site-0 site-2 - new" {
		t.Errorf("found %s", s)
	}
	if err := j.SetTable(sites(t, "id,no,name,limit,floor,live,key\n")); err != nil {
		t.Fatal(err)
	}
	got = nil
	if give(d, "south"); got[0] != "-" {
		t.Errorf("found %s in an empty table", got[0])
	}
}

// TestJoinTakesBack marks results of windows that a newer revision leaves out.
func TestJoinTakesBack(t *testing.T) {
	in := batch.Schema{{Name: "id", Type: batch.String}, {Name: plan.Revision, Type: batch.Int}}
	p := &plan.LookupJoin{Keys: []uint32{0}, On: []string{"name"}, Columns: []string{"floor"}, DropMissing: true}
	out := append(append(batch.Schema{}, in...), batch.Field{Name: "floor", Type: batch.Int})
	b := batch.New(in)
	b.Cols[0].Dict = batch.NewDict()
	for _, s := range []string{"south", "x", "y", "z"} {
		b.Cols[0].Codes = append(b.Cols[0].Codes, b.Cols[0].Dict.CodeString(s))
	}
	b.Cols[1].Ints, b.N = []int64{2, 1, 2, 1}, 4
	b.Deleted = batch.NewBitmap(4, false)
	b.Deleted.Set(3)
	for after, want := range map[bool]string{true: "south y! z!", false: "south z!"} {
		j, err := NewJoin(p, in, out, sites(t, sitesCSV), after)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		err = j.Process(b, nil, func(b *batch.Batch, _ []int64) error {
			for n := range b.Len() {
				i := rowOf(b, n)
				s := b.Cols[0].Str(i)
				if b.Deleted.Get(i) {
					s += "!"
				}
				got = append(got, s)
			}
			return nil
		})
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("after a window %t: %q, %v; want %s", after, got, err, want)
		}
	}
	if b.Deleted.Get(2) {
		t.Error("the marks of the batch were changed")
	}
}

func TestJoinPlansAreChecked(t *testing.T) {
	tab := sites(t, sitesCSV)
	for name, p := range map[string]*plan.LookupJoin{
		"no keys":            {On: nil, Columns: joined},
		"two for one":        {Keys: byKeys, On: []string{"id"}, Columns: joined},
		"a column too many":  {Keys: []uint32{0}, On: []string{"name"}, Columns: append([]string{"id"}, joined...)},
		"an unknown column":  {Keys: []uint32{0}, On: []string{"name"}, Columns: []string{"name", "limit", "floor", "live", "nope"}},
		"another type":       {Keys: []uint32{0}, On: []string{"name"}, Columns: []string{"name", "limit", "floor", "live", "id"}},
		"another key's type": {Keys: []uint32{1}, On: []string{"name"}, Columns: joined},
		"no such row":        {Keys: []uint32{9}, On: []string{"name"}, Columns: joined},
	} {
		if _, err := NewJoin(p, rowSchema, joinedSchema(), tab, false); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewJoin(&plan.LookupJoin{Keys: []uint32{0}, On: []string{"id"}, Columns: joined}, rowSchema, joinedSchema(), tab, false); !errors.Is(err, lookup.ErrDuplicate) {
		t.Errorf("duplicates: %v", err)
	}
}
