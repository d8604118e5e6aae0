package postgres

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/leatio/leat/engine/batch"
)

var (
	count   = flag.Int("postgres.count", 4000, "random expressions")
	seconds = flag.Int("postgres.seconds", 0, "go on for that long instead")
)

const (
	rowsPerRound  = 24
	exprsPerRound = 200
	maxReports    = 25
)

// TestRandomExpressions is the differential test. LEAT_SEED repeats a run.
func TestRandomExpressions(t *testing.T) {
	server := Start(t)
	ctx := context.Background()
	conn := server.Connect(t)
	if _, err := conn.Exec(ctx, evaluate); err != nil {
		t.Fatal(err)
	}
	z := newZones(t)
	differences := readDifferences(t)
	met := map[string]int{}
	listed := func(here, there answer) bool {
		name := named(here, there)
		_, ok := differences[name]
		met[name]++
		return ok
	}
	first := seed(t)
	t.Logf("seed %d", first)
	end := time.Now().Add(time.Duration(*seconds) * time.Second)
	done, values, failures, reports := 0, 0, 0, 0
	for round := uint64(0); (*seconds > 0 && time.Now().Before(end)) || (*seconds == 0 && done < *count); round++ {
		r := rand.New(rand.NewPCG(first, round))
		b, sql := randomRows(r, rowsPerRound)
		if err := setRows(ctx, conn, sql); err != nil {
			t.Fatalf("seed %d, round %d: %v", first, round, err)
		}
		var exprs []pair
		var queries []string
		var kinds []kind
		var loose []bool
		for range exprsPerRound {
			g := generator{r: r}
			e, k, lastDigit := g.root()
			exprs, kinds, loose = append(exprs, e), append(kinds, k), append(loose, lastDigit)
			queries = append(queries, query(e, k, g.literals))
		}
		want, err := there(ctx, conn, queries, kinds, b.N)
		if err != nil {
			t.Fatalf("seed %d, round %d: %v", first, round, err)
		}
		for i, e := range exprs {
			got, err := here(e.leat, z, b)
			if err != nil {
				t.Errorf("seed %d, round %d: %v\n  %s\n  %s", first, round, err, e.leat, queries[i])
				reports++
			}
			for row := range got {
				values++
				if got[row].failed {
					failures++
				}
				if !agree(got[row], want[i][row], loose[i]) && !listed(got[row], want[i][row]) {
					reports++
					t.Errorf("seed %d, round %d: %s\n  here       %s\n  PostgreSQL %s\n  rows       %s\n  query      %s", first, round, e.leat, got[row], want[i][row], rowText(b, row, e.leat), queries[i])
					break
				}
			}
			if reports >= maxReports {
				t.Fatal("there are more differences")
			}
		}
		done += len(exprs)
	}
	t.Logf("%d expressions, %d values of which %d are failures; differences that are listed: %v", done, values, failures, met)
	if failures < values/50 || failures > values/2 {
		t.Errorf("%d of %d values are failures: the generator has lost its balance", failures, values)
	}
}

// rowText shows the columns that an expression reads.
func rowText(b *batch.Batch, row int, text string) string {
	var parts []string
	for k, f := range columns {
		if strings.Contains(text, f.Name) {
			v := valueAt(&b.Cols[k], row).String()
			if f.Type == batch.Timestamp && v != "null" {
				v = timeText(b.Cols[k].Ints[row])
			}
			parts = append(parts, fmt.Sprintf("%s=%s", f.Name, v))
		}
	}
	return strings.Join(parts, " ")
}

// TestListedDifferences evaluates the examples of the table on both sides.
func TestListedDifferences(t *testing.T) {
	conn := Start(t).Connect(t)
	b, _ := randomRows(rand.New(rand.NewPCG(1, 1)), 1)
	for name, d := range readDifferences(t) {
		want := "error"
		if v, err := here("CAST(("+d.here+") AS string)", newZones(t), b); err == nil && !v[0].failed {
			want = v[0].text
		}
		if want != d.hereGives {
			t.Errorf("%s: here %s is %s, the table says %s", name, d.here, want, d.hereGives)
		}
		var got string
		if err := conn.QueryRow(context.Background(), "SELECT ("+d.pg+")::text").Scan(&got); err != nil {
			var refused *pgconn.PgError
			if !errors.As(err, &refused) {
				t.Fatal(err)
			}
			got = "error"
		}
		if got != d.pgGives && !(name == "last-digit" && agree(answer{text: got}, answer{text: d.pgGives}, true)) {
			t.Errorf("%s: in PostgreSQL %s is %s, the table says %s", name, d.pg, got, d.pgGives)
		}
	}
}

// TestElementaryFunctions looks at ln, exp and power where their arguments
// make sense, which random expressions seldom do.
func TestElementaryFunctions(t *testing.T) {
	server := Start(t)
	ctx := context.Background()
	conn := server.Connect(t)
	if _, err := conn.Exec(ctx, evaluate); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed(t), 1))
	b := batch.New(columns)
	var sql strings.Builder
	const n = 600
	for i := range n {
		v := make([]value, len(columns))
		for k := range v {
			v[k].null = true
		}
		v[5] = value{d: one(r, []float64{r.Float64()*1500 - 760, r.NormFloat64(), -745.13321910194122 + r.Float64()*38, 708 + 2*r.Float64(), float64(r.IntN(20) - 10)})}
		v[6] = value{d: one(r, []float64{math.Exp(r.NormFloat64() * 100), r.Float64() * 10, 1 + r.NormFloat64()*1e-9, float64(r.IntN(20) - 10), one(r, doublePool)})}
		v[7] = value{d: one(r, []float64{r.NormFloat64() * 10, float64(r.IntN(40) - 20), one(r, doublePool)})}
		fmt.Fprintf(&sql, "%s(%d", strings.Repeat(", ", min(i, 1)), i)
		for k, f := range columns {
			appendValue(&b.Cols[k], v[k])
			sql.WriteString(", " + sqlLiteral(v[k], f.Type))
		}
		sql.WriteString(")")
	}
	b.N = n
	if err := setRows(ctx, conn, sql.String()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"exp(d0)", "ln(d1)", "power(d1, d2)", "sqrt(d1)", "exp(d2)", "power(d2, d0)"} {
		want, err := there(ctx, conn, []string{query(pair{text, text}, double, nil)}, []kind{double}, n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := here(text, newZones(t), b)
		if err != nil {
			t.Fatal(err)
		}
		differ, wrong := 0, 0
		for i := range got {
			if got[i] != want[0][i] && !got[i].failed {
				differ++
			}
			if !agree(got[i], want[0][i], text != "sqrt(d1)") {
				if wrong++; wrong < 10 {
					t.Errorf("%s: here %s, PostgreSQL %s, of %s", text, got[i], want[0][i], rowText(b, i, text))
				}
			}
		}
		t.Logf("%s: the last digit of %d values of %d is another", text, differ, n)
	}
}

// TestLettersOfAllScripts compares lower and upper of every character.
func TestLettersOfAllScripts(t *testing.T) {
	conn := Start(t).Connect(t)
	rows, err := conn.Query(context.Background(), "SELECT c, lower(chr(c)), upper(chr(c)) FROM generate_series(1, 1114111) c WHERE (c < 55296 OR c > 57343) AND (lower(chr(c)) <> chr(c) OR upper(chr(c)) <> chr(c))")
	if err != nil {
		t.Fatal(err)
	}
	type letter struct {
		C            int
		Lower, Upper string
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[letter])
	if err != nil {
		t.Fatal(err)
	}
	known := map[int]letter{}
	for _, l := range list {
		known[l.C] = l
	}
	in := batch.Column{Type: batch.String}
	for c := 1; c <= 1114111; c++ {
		if _, changes := known[c]; changes || unicode.ToLower(rune(c)) != rune(c) || unicode.ToUpper(rune(c)) != rune(c) {
			appendValue(&in, value{s: string(rune(c))})
		}
	}
	b := batch.New(columns)
	b.N = in.Len()
	b.Cols[8] = in
	for k, f := range columns {
		for k != 8 && b.Cols[k].Len() < b.N {
			appendValue(&b.Cols[k], value{null: f.Type != batch.Bool})
		}
	}
	lower, err1 := here("lower(s0)", testZones{}, b)
	upper, err2 := here("upper(s0)", testZones{}, b)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if b.N < 2000 {
		t.Fatalf("%d letters have a case, there should be more", b.N)
	}
	for i := range b.N {
		c := []rune(in.Str(i))[0]
		want, ok := known[int(c)]
		if !ok {
			want = letter{int(c), string(c), string(c)}
		}
		if lower[i].text != want.Lower || upper[i].text != want.Upper {
			t.Errorf("%U %c: here lower %q, upper %q; PostgreSQL %q, %q", c, c, lower[i].text, upper[i].text, want.Lower, want.Upper)
		}
	}
}
