package postgres

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // where the machine has no database of zones

	"github.com/jackc/pgx/v5"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/sql"
	"github.com/leatio/leat/engine/zone"
)

// answer is what one side says for one row.
type answer struct {
	failed bool
	reason string // of a failure
	null   bool
	text   string // else the value: bytes in hexadecimal, timestamps in microseconds
}

func (a answer) String() string {
	switch {
	case a.failed:
		return "error: " + a.reason
	case a.null:
		return "null"
	}
	return strconv.Quote(a.text)
}

// testZones knows the zones of Go's database, as the compiler does.
type testZones struct{ rules map[string]*zone.Zone }

func newZones(t testing.TB) testZones {
	z := testZones{map[string]*zone.Zone{}}
	for _, name := range zoneNames {
		l, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		z.rules[name], err = zone.New(zone.Rules(l, time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)))
		if err != nil {
			t.Fatal(err)
		}
	}
	return z
}

func (z testZones) Zone(name string) error {
	if z.rules[name] == nil {
		return fmt.Errorf("there is no zone %q", name)
	}
	return nil
}

func (z testZones) ZoneParam(name string) error { return fmt.Errorf("there is no parameter %q", name) }

// here evaluates an expression over a batch.
func here(text string, z testZones, b *batch.Batch) ([]answer, error) {
	e, err := sql.Bind(text, sql.Scope{Columns: columns, Zones: z})
	if err != nil {
		return nil, err
	}
	p, err := expr.Compile(e, columns, expr.Env{Zones: z.rules})
	if err != nil {
		return nil, err
	}
	out := make([]answer, b.N)
	c, err := p.Eval(b, func(row int, reason string) { out[row] = answer{failed: true, reason: reason} })
	if err != nil {
		return nil, err
	}
	for i := range out {
		if !out[i].failed {
			out[i] = valueAt(c, i)
		}
	}
	if p.Type() == batch.Bool {
		return out, sameFilter(p, b, out)
	}
	return out, nil
}

// sameFilter tells whether the rows that a condition selects are those for which it is true.
func sameFilter(p *expr.Program, b *batch.Batch, values []answer) error {
	selected, err := p.Filter(b, nil, nil)
	if err != nil {
		return err
	}
	for i, v := range values {
		isTrue := !v.failed && v.text == "true"
		if isTrue != slices.Contains(selected, uint32(i)) {
			return fmt.Errorf("as a condition it selects the rows %v, but row %d is %s", selected, i, v)
		}
	}
	return nil
}

func valueAt(c *batch.Column, i int) answer {
	if c.Null(i) {
		return answer{null: true}
	}
	switch c.Type {
	case batch.Bool:
		return answer{text: strconv.FormatBool(c.Bools[i])}
	case batch.Double:
		return answer{text: doubleText(c.Doubles[i])}
	case batch.String:
		return answer{text: c.Str(i)}
	case batch.Bytes:
		return answer{text: hex.EncodeToString(c.Blob(i))}
	}
	return answer{text: strconv.FormatInt(c.Ints[i], 10)}
}

// doubleText gives every double one text, and -0 another than 0.
func doubleText(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// evaluate is a function that answers for each row of the table: V and the value,
// null, or E and the error. It tries all rows at once and goes row by row where one fails.
const evaluate = `
CREATE FUNCTION evaluate(query text, n int) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	out text[];
	v text;
BEGIN
	BEGIN
		EXECUTE 'SELECT array_agg(v ORDER BY id) FROM (' || query || ') q' INTO out;
		RETURN out;
	EXCEPTION WHEN OTHERS THEN
		out := '{}';
		FOR i IN 0 .. n - 1 LOOP
			BEGIN
				EXECUTE query || ' WHERE id = ' || i INTO STRICT i, v;
				out[i + 1] := v;
			EXCEPTION WHEN OTHERS THEN
				out[i + 1] := 'E' || SQLERRM;
			END;
		END LOOP;
		RETURN out;
	END;
END $$`

// setRows makes the table of rows.
func setRows(ctx context.Context, conn *pgx.Conn, values string) error {
	var names, types strings.Builder
	for _, f := range columns {
		fmt.Fprintf(&names, ", %s", f.Name)
		fmt.Fprintf(&types, ", %s %s", f.Name, sqlNames[f.Type])
	}
	_, err := conn.Exec(ctx, "DROP TABLE IF EXISTS rows; CREATE TABLE rows (id int"+types.String()+"); INSERT INTO rows (id"+names.String()+") VALUES "+values)
	return err
}

// query is the SELECT of an expression. OFFSET 0 keeps the planner from
// seeing through the subquery.
func query(e pair, k kind, literals []string) string {
	var list strings.Builder
	for i, l := range literals {
		fmt.Fprintf(&list, ", %s AS k%d", l, i)
	}
	value := "(" + e.pg + ")"
	switch k {
	case blob:
		value = "encode(" + value + ", 'hex')"
	case instant, far, clock:
		value = "(extract(epoch FROM " + value + ") * 1000000)::bigint"
	}
	return "SELECT id, 'V' || " + value + "::text AS v FROM (SELECT *" + list.String() + " FROM rows OFFSET 0) s"
}

// there evaluates queries in PostgreSQL.
func there(ctx context.Context, conn *pgx.Conn, queries []string, kinds []kind, n int) ([][]answer, error) {
	rows, err := conn.Query(ctx, "SELECT evaluate(q, $2) FROM unnest($1::text[]) WITH ORDINALITY AS u(q, o) ORDER BY o", queries, n)
	if err != nil {
		return nil, err
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[[]*string])
	if err != nil {
		return nil, err
	}
	out := make([][]answer, len(texts))
	for i, list := range texts {
		if len(list) != n {
			return nil, fmt.Errorf("%d answers for %d rows: %s", len(list), n, queries[i])
		}
		for _, text := range list {
			out[i] = append(out[i], answerOf(text, kinds[i]))
		}
	}
	return out, nil
}

func answerOf(text *string, k kind) answer {
	switch {
	case text == nil:
		return answer{null: true}
	case (*text)[0] == 'E':
		return answer{failed: true, reason: (*text)[1:]}
	}
	v := (*text)[1:]
	if k == double {
		d, err := strconv.ParseFloat(v, 64)
		if err != nil {
			panic("PostgreSQL writes a double as " + v)
		}
		return answer{text: doubleText(d)}
	}
	return answer{text: v}
}

// agree tells whether two answers are equal. Where the last digit may differ, doubles may be neighbours.
func agree(a, b answer, lastDigit bool) bool {
	if a.failed || b.failed {
		return a.failed && b.failed
	}
	if a == b || !lastDigit || a.null || b.null {
		return a == b
	}
	x, err1 := strconv.ParseFloat(a.text, 64)
	y, err2 := strconv.ParseFloat(b.text, 64)
	return err1 == nil && err2 == nil && (math.Nextafter(x, y) == y)
}

// seed is LEAT_SEED, a new one where that is 0, or else the one of CI.
func seed(t testing.TB) uint64 {
	text := os.Getenv("LEAT_SEED")
	if text == "" {
		return 1
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("LEAT_SEED=%s is not a number", text)
	}
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	return n
}
