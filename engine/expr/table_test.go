package expr_test

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/sql"
)

var tableSchema = batch.Schema{
	{Name: "t", Type: batch.Bool}, {Name: "f", Type: batch.Bool}, {Name: "n", Type: batch.Bool},
	{Name: "i", Type: batch.Int}, {Name: "z", Type: batch.Int}, {Name: "ni", Type: batch.Int},
	{Name: "d", Type: batch.Double}, {Name: "nan", Type: batch.Double}, {Name: "s", Type: batch.String}, {Name: "ns", Type: batch.String},
	{Name: "ts", Type: batch.Timestamp}, {Name: "raw", Type: batch.Bytes}, {Name: "raw2", Type: batch.Bytes},
	{Name: "big", Type: batch.Int}, {Name: "small", Type: batch.Int}, {Name: "neg0", Type: batch.Double},
}

// tableBatch is one row: t true, f false, n null, i 7, z 0, ...
func tableBatch(t testing.TB) *batch.Batch {
	b := batch.New(tableSchema)
	b.N = 1
	for k, f := range tableSchema {
		c := &b.Cols[k]
		switch f.Name {
		case "t":
			c.Bools = []bool{true}
		case "f":
			c.Bools = []bool{false}
		case "i":
			c.Ints = []int64{7}
		case "z":
			c.Ints = []int64{0}
		case "big":
			c.Ints = []int64{math.MaxInt64}
		case "small":
			c.Ints = []int64{math.MinInt64}
		case "d":
			c.Doubles = []float64{2.5}
		case "nan":
			c.Doubles = []float64{math.NaN()}
		case "neg0":
			c.Doubles = []float64{math.Copysign(0, -1)}
		case "s":
			c.Dict = batch.NewDict()
			c.Codes = []uint32{c.Dict.CodeString("Grüße, Welt")}
		case "ts": // Saturday, week 5
			v, err := expr.ParseTimestamp("2026-01-31T12:34:56.789012Z")
			if err != nil {
				t.Fatal(err)
			}
			c.Ints = []int64{v}
		case "raw":
			c.AppendBlob([]byte{1, 2})
		case "raw2":
			c.AppendBlob([]byte{1, 3})
		default:
			c.AppendNull()
		}
	}
	return b
}

// evalText gives the value of row 0 as text, or "error: reason".
func evalText(t testing.TB, text string, b *batch.Batch) string {
	t.Helper()
	e, err := sql.Bind(text, sql.Scope{Columns: tableSchema})
	if err != nil {
		return "bind: " + err.Error()
	}
	p, err := expr.Compile(e, tableSchema, expr.Env{})
	if err != nil {
		return "compile: " + err.Error()
	}
	failed := ""
	col, err := p.Eval(b, func(row int, reason string) {
		if failed != "" {
			t.Errorf("%s: a row failed twice", text)
		}
		failed = "error: " + reason
	})
	if err != nil {
		return err.Error()
	}
	if col.Len() != b.N {
		t.Errorf("%s: %d rows, want %d", text, col.Len(), b.N)
	}
	if failed != "" {
		if !col.Null(0) {
			t.Errorf("%s: the row failed and is not null", text)
		}
		return failed
	}
	return valueText(col, 0)
}

func valueText(c *batch.Column, i int) string {
	if c.Null(i) {
		return "null"
	}
	switch c.Type {
	case batch.Bool:
		return strconv.FormatBool(c.Bools[i])
	case batch.Double:
		return strconv.FormatFloat(c.Doubles[i], 'g', -1, 64)
	case batch.String:
		return "'" + c.Str(i) + "'"
	case batch.Bytes:
		return fmt.Sprintf("%x", c.Blob(i))
	default:
		return strconv.FormatInt(c.Ints[i], 10)
	}
}

func TestValues(t *testing.T) {
	tests := []struct{ text, want string }{
		// three-valued logic
		{"t AND t", "true"}, {"t AND f", "false"}, {"t AND n", "null"}, {"f AND n", "false"}, {"n AND f", "false"}, {"n AND n", "null"}, {"n AND t", "null"},
		{"t OR n", "true"}, {"n OR t", "true"}, {"f OR n", "null"}, {"f OR f", "false"}, {"n OR n", "null"}, {"n OR f", "null"},
		{"NOT t", "false"}, {"NOT n", "null"}, {"n IS NULL", "true"}, {"t IS NOT NULL", "true"}, {"n IS NOT NULL", "false"},
		{"n = n", "null"}, {"i = ni", "null"}, {"NULL = i", "null"},
		{"i IN (1, 7)", "true"}, {"i IN (1, NULL)", "null"}, {"i IN (7, NULL)", "true"}, {"ni IN (1)", "null"}, {"i NOT IN (1, 2)", "true"},
		{"i IN (z, ni)", "null"}, {"i IN (ni, i)", "true"}, {"s IN ('a', NULL)", "null"}, {"s IN ('Grüße, Welt')", "true"}, {"nan IN (1.5, 'NaN')", "true"}, {"neg0 IN (0.0)", "true"},
		{"t IN (f, t)", "true"},
		// ints
		{"i / 2", "3"}, {"-i / 2", "-3"}, {"i % 4", "3"}, {"-i % 4", "-3"}, {"i % -4", "3"}, {"small % -1", "0"},
		{"i / z", "error: division by zero"}, {"i % z", "error: division by zero"}, {"ni / z", "null"}, {"i / ni", "null"},
		{"big + 1", "error: integer out of range"}, {"small - 1", "error: integer out of range"}, {"big * 2", "error: integer out of range"},
		{"small * -1", "error: integer out of range"}, {"small / -1", "error: integer out of range"}, {"-small", "error: integer out of range"},
		{"abs(small)", "error: integer out of range"}, {"big + small", "-1"}, {"big * 1", "9223372036854775807"}, {"big * z", "0"}, {"big * -1", "-9223372036854775807"}, {"small * 1", "-9223372036854775808"},
		{"3037000500 * 3037000500", "error: integer out of range"}, {"3037000499 * 3037000499", "9223372030926249001"}, {"4294967296 * -2147483648", "-9223372036854775808"},
		// doubles
		{"1 / 2.0", "0.5"}, {"d / 0.0", "error: division by zero"}, {"nan / 0.0", "NaN"}, {"i / d", "2.8"}, {"1e308 * 10.0", "error: value out of range: overflow"}, {"5e-324 * 0.1", "error: value out of range: underflow"}, {"'inf'::double + 1", "+Inf"}, {"-d", "-2.5"},
		{"nan = nan", "true"}, {"nan < nan", "false"}, {"nan <= nan", "true"}, {"nan > nan", "false"}, {"nan >= nan", "true"}, {"0 IN (nan, NULL)", "null"}, {"nan > 'Infinity'", "true"}, {"nan < d", "false"}, {"nan >= d", "true"}, {"d < nan", "true"}, {"nan <> nan", "false"}, {"nan = 'NaN'::double", "true"},
		{"nan > 1e308", "true"}, {"nan <= 1.0", "false"}, {"nan <> 1.0", "true"}, {"1.0 < nan", "true"}, {"neg0 = 0.0", "true"}, {"neg0 < 0.0", "false"},
		{"greatest(d, nan, 3.0)", "NaN"}, {"least(d, nan, 3.0)", "2.5"}, {"greatest(ni, 3, i)", "7"}, {"least(ni, ni)", "null"}, {"greatest('b', s, 'a')", "'b'"}, {"least(t, f)", "false"},
		{"round(2.5)", "2"}, {"round(3.5)", "4"}, {"round(-2.5)", "-2"}, {"round(2.5, 0)", "3"}, {"round(-2.5, 0)", "-3"}, {"round(1.005, 2)", "1.01"},
		{"round(2.675, 2)", "2.68"}, {"round(1234.5678, -2)", "1200"}, {"round(1250.0, -2)", "1300"}, {"round(0.05, 1)", "0.1"}, {"round(0.04, 1)", "0"}, {"round(-0.04, 1)", "0"},
		{"round(99.995, 2)", "100"}, {"round(d, 400)", "2.5"}, {"round(d, -400)", "0"}, {"round(nan, 2)", "NaN"}, {"round(1.7e308, -308)", "error: value out of range: overflow"},
		{"round(5e-324, 323)", "1e-323"}, {"round(7.0, -1)", "10"}, {"round(4.0, -1)", "0"}, {"round(123456.789, 2)", "123456.79"},
		{"floor(-2.5)", "-3"}, {"ceil(2.1)", "3"}, {"abs(-2.5)", "2.5"}, {"abs(-i)", "7"},
		{"sqrt(2.25)", "1.5"}, {"sqrt(-1)", "error: cannot take square root of a negative number"}, {"sqrt(nan)", "NaN"},
		{"ln(1)", "0"}, {"ln(0)", "error: cannot take logarithm of zero"}, {"ln(-1)", "error: cannot take logarithm of a negative number"}, {"ln('Infinity')", "+Inf"},
		{"exp(1)", "2.718281828459045"}, {"exp(710)", "error: value out of range: overflow"}, {"exp(-800)", "error: value out of range: underflow"}, {"exp('-Infinity')", "0"},
		{"power(2, 10)", "1024"}, {"power(2, 0.5)", "1.4142135623730951"}, {"power(-8, 3)", "-512"}, {"power(-8, 0.5)", "error: a negative number raised to a non-integer power yields a complex result"},
		{"power(0, -1)", "error: zero raised to a negative power is undefined"}, {"power(10, 400)", "error: value out of range: overflow"}, {"power(nan, 0)", "1"}, {"power(1, nan)", "1"}, {"power(10, -400)", "error: value out of range: underflow"},
		{"power(-1, 'Infinity')", "1"}, {"power(0.5, 'Infinity')", "0"}, {"power(-2, nan)", "NaN"},
		// laziness
		{"CASE WHEN z <> 0 THEN i / z END", "null"}, {"CASE WHEN z <> 0 THEN i / z ELSE -1 END", "-1"}, {"z <> 0 AND i / z > 1", "false"}, {"z = 0 OR i / z > 1", "true"},
		{"coalesce(i, i / z)", "7"}, {"coalesce(ni, i)", "7"}, {"i IN (7, i / z)", "true"}, {"CASE i WHEN 7 THEN 'x' WHEN i / z THEN 'y' END", "'x'"},
		{"coalesce(i / z, 1)", "error: division by zero"}, {"(i / z) IS NULL", "error: division by zero"}, {"i / z + i / z", "error: division by zero"}, {"n AND i / z = 1", "error: division by zero"},
		{"CASE WHEN n THEN 1 WHEN t THEN 2 ELSE 3 END", "2"}, {"CASE WHEN t THEN raw ELSE raw2 END", "0102"}, {"CASE WHEN f THEN s ELSE 'x' END", "'x'"},
		{"nullif(i, 7)", "null"}, {"nullif(i, 8)", "7"}, {"nullif(i, ni)", "7"}, {"nullif(nan, nan)", "null"}, {"coalesce(ns, s)", "'Grüße, Welt'"},
		// strings
		{"lower(s)", "'grüße, welt'"}, {"upper(s)", "'GRÜßE, WELT'"}, {"length(s)", "11"}, {"length('')", "0"}, {"lower(ns)", "null"},
		{"substr(s, 3, 3)", "'üße'"}, {"substr(s, 9)", "'elt'"}, {"substr(s, 0, 3)", "'Gr'"}, {"substr(s, -5)", "'Grüße, Welt'"}, {"substr(s, 100)", "''"},
		{"substr(s, 2, 0)", "''"}, {"substr(s, 2, -1)", "error: negative substring length not allowed"}, {"substr(s, 2, 9223372036854775807)", "'rüße, Welt'"}, {"substr(s, -2, 3)", "''"},
		{"concat(s, ns, 1, t, 2.5)", "'Grüße, Welt1t2.5'"}, {"concat(ns)", "''"}, {"s || ns", "null"}, {"'a' || i || NULL", "null"}, {"'a' || i", "'a7'"},
		{"replace(s, 'e', 'EE')", "'GrüßEE, WEElt'"}, {"replace(s, '', 'x')", "'Grüße, Welt'"}, {"replace('aaa', 'aa', 'b')", "'ba'"},
		{"split_part('a,b,c', ',', 2)", "'b'"}, {"split_part('a,b,c', ',', -1)", "'c'"}, {"split_part('a,b,c', ',', -3)", "'a'"}, {"split_part('a,b,c', ',', 4)", "''"}, {"split_part('a,b,c', ',', -4)", "''"},
		{"split_part('abc', '', 1)", "'abc'"}, {"split_part('abc', '', -1)", "'abc'"}, {"split_part('abc', '', 2)", "''"}, {"split_part('a,b', ',', 0)", "error: field position must not be zero"},
		{"s LIKE 'Gr%lt'", "true"}, {"s LIKE 'gr%'", "false"}, {"s LIKE 'Gr__e%'", "true"}, {"s LIKE '%,%'", "true"}, {"s LIKE ''", "false"}, {"'' LIKE ''", "true"}, {"'' LIKE '%%'", "true"},
		{`'a%b' LIKE 'a\%b'`, "true"}, {`'axb' LIKE 'a\%b'`, "false"}, {`'a\b' LIKE 'a\\b'`, "true"}, {"'aXbXc' LIKE 'a%bXc'", "true"}, {"'mississippi' LIKE '%iss%ip%'", "true"}, {"ns LIKE '%'", "null"},
		{`s LIKE s || '\'`, "error: LIKE pattern must not end with escape character"}, {"s NOT LIKE '%z%'", "true"},
		{"regexp_like(s, '^Gr.+e, W')", "true"}, {"regexp_like(s, '^W')", "false"}, {"regexp_like('a' || 'b', 'b$')", "true"}, {"regexp_like(ns, 'a')", "null"},
		{"s = 'Grüße, Welt'", "true"}, {"s < 'H'", "true"}, {"s >= 'H'", "false"}, {"'H' > s", "true"}, {"s = s", "true"}, {"s < s || 'a'", "true"}, {"ns = 'x'", "null"}, {"raw < raw2", "true"}, {"raw = raw", "true"},
		// casts
		{"'12'::int", "12"}, {"(s || '')::int", `error: invalid input syntax for type int: "Grüße, Welt"`}, {"concat(' 12 ')::int", "12"}, {"concat('99999999999999999999')::int", `error: value "99999999999999999999" is out of range for type int`},
		{"concat('1e3')::double", "1000"}, {"concat('0x10')::double", `error: invalid input syntax for type double: "0x10"`}, {"concat('1_0')::double", `error: invalid input syntax for type double: "1_0"`}, {"concat('inf')::double", "+Inf"}, {"concat('1e999')::double", `error: value "1e999" is out of range for type double`},
		{"concat('yes')::bool", "true"}, {"concat('2')::bool", `error: invalid input syntax for type bool: "2"`}, {"2.5::int", "2"}, {"3.5::int", "4"}, {"1e19::int", "error: integer out of range"}, {"nan::int", "error: integer out of range"}, {"(-9223372036854775808.0)::int", "-9223372036854775808"},
		{"t::int", "1"}, {"i::bool", "true"}, {"z::bool", "false"}, {"i::string", "'7'"}, {"d::string", "'2.5'"}, {"1e15::text", "'1e+15'"}, {"123456789012345.0::text", "'123456789012345'"}, {"0.0001::text", "'0.0001'"}, {"0.00001::text", "'1e-05'"}, {"nan::text", "'NaN'"}, {"neg0::text", "'-0'"},
		{"t::text", "'true'"}, {"ts::text", "'2026-01-31 12:34:56.789012+00'"}, {"concat('2026-01-31')::timestamp::text", "'2026-01-31 00:00:00+00'"}, {"concat('2026-13-01')::timestamp", `error: invalid input syntax for type timestamp: "2026-13-01"`},
		{"concat('2024-02-29 23:59:59.9999999-0330')::timestamp::text", "'2024-03-01 03:30:00+00'"}, {"concat('2023-02-29')::timestamp", `error: date out of range: "2023-02-29"`}, {"CAST(NULL AS int)", "null"},
		// timestamps
		{"date_trunc('hour', ts)::text", "'2026-01-31 12:00:00+00'"}, {"date_trunc('second', ts)::text", "'2026-01-31 12:34:56+00'"}, {"date_trunc('week', ts)::text", "'2026-01-26 00:00:00+00'"},
		{"date_trunc('month', ts)::text", "'2026-01-01 00:00:00+00'"}, {"date_trunc('quarter', '2026-06-30'::timestamp)::text", "'2026-04-01 00:00:00+00'"}, {"date_trunc('year', ts)::text", "'2026-01-01 00:00:00+00'"},
		{"date_trunc('day', '1969-12-31 23:00'::timestamp)::text", "'1969-12-31 00:00:00+00'"}, {"date_trunc('week', '1970-01-01'::timestamp)::text", "'1969-12-29 00:00:00+00'"},
		{"extract(year FROM ts)", "2026"}, {"extract(month FROM ts)", "1"}, {"extract(day FROM ts)", "31"}, {"extract(hour FROM ts)", "12"}, {"extract(minute FROM ts)", "34"}, {"extract(second FROM ts)", "56.789012"},
		{"extract(dow FROM ts)", "6"}, {"extract(doy FROM ts)", "31"}, {"extract(epoch FROM ts)", "1.769862896789012e+09"}, {"extract(week FROM ts)", "5"}, {"extract(quarter FROM ts)", "1"}, {"extract(week FROM '2027-01-01'::timestamp)", "53"},
		{"ts > '2026-01-31'", "true"}, {"ts < TIMESTAMP '2026-01-31 12:34:57'", "true"},
	}
	b := tableBatch(t)
	for _, tt := range tests {
		if got := evalText(t, tt.text, b); got != tt.want {
			t.Errorf("%s = %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	in := batch.Schema{{Name: "i", Type: batch.Int}, {Name: "s", Type: batch.String}}
	col := func(i uint32, t batch.Type) *plan.Expr {
		return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Column{Column: i}}
	}
	call := func(op string, t batch.Type, args ...*plan.Expr) *plan.Expr {
		return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Call{Call: &plan.Call{Op: op, Args: args}}}
	}
	i, s := col(0, batch.Int), col(1, batch.String)
	deep := i
	for range expr.MaxDepth + 1 {
		deep = call("neg", batch.Int, deep)
	}
	wide := make([]*plan.Expr, expr.MaxNodes)
	for k := range wide {
		wide[k] = i
	}
	tests := []struct {
		name string
		e    *plan.Expr
		want string
	}{
		{"nothing", nil, "an operand is missing"},
		{"no type", &plan.Expr{}, "unknown type 0"},
		{"large type", &plan.Expr{Type: 258}, "unknown type 258"},
		{"no kind", &plan.Expr{Type: 2}, "neither column, literal nor call"},
		{"column", col(2, batch.Int), "column 2 of 2"},
		{"column type", col(0, batch.Double), `column "i" is int, not double`},
		{"literal type", &plan.Expr{Type: 1, Kind: &plan.Expr_Literal{Literal: &plan.Value{Kind: &plan.Value_Int{Int: 1}}}}, "a literal is not of type bool"},
		{"unknown", call("frob", batch.Int, i), "there is no frob(int)"},
		{"types", call("+", batch.Int, i, s), "there is no +(int, string)"},
		{"result", call("+", batch.Double, i, i), "+ gives int, not double"},
		{"none", call("and", batch.Bool), "there is no and()"},
		{"nil argument", call("neg", batch.Int, nil), "an operand is missing"},
		{"cast", call("cast", batch.Bytes, i), "there is no cast(int)"},
		{"udf", call("udf:x", batch.Int), "there are no user-defined functions here"},
		{"zone", call("to_zone", batch.Timestamp, &plan.Expr{Type: uint32(batch.String), Kind: &plan.Expr_Literal{Literal: &plan.Value{Kind: &plan.Value_String_{String_: "Mars/Base"}}}}, &plan.Expr{Type: uint32(batch.Timestamp), Kind: &plan.Expr_Literal{Literal: &plan.Value{}}}), `the rules of the time zone "Mars/Base" are not here`},
		{"zone of rows", call("to_zone", batch.Timestamp, s, &plan.Expr{Type: uint32(batch.Timestamp), Kind: &plan.Expr_Literal{Literal: &plan.Value{}}}), `to_zone needs a literal time zone`},
		{"pattern", call("regexp_like", batch.Bool, s, s), "regexp_like needs a literal pattern"},
		{"deep", deep, "nested deeper than 1000"},
		{"wide", call("coalesce", batch.Int, wide...), "more than 10000 operations"},
	}
	for _, tt := range tests {
		_, err := expr.Compile(tt.e, in, expr.Env{})
		if !errors.Is(err, expr.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestBatchMustFit(t *testing.T) {
	in := batch.Schema{{Name: "s", Type: batch.String}, {Name: "i", Type: batch.Int}}
	e, err := sql.Bind("s = 'a' AND i > 1", sql.Scope{Columns: in})
	if err != nil {
		t.Fatal(err)
	}
	p, err := expr.Compile(e, in, expr.Env{})
	if err != nil {
		t.Fatal(err)
	}
	good := func() *batch.Batch {
		b := batch.New(in)
		b.N = 1
		b.Cols[0].Dict = batch.NewDict()
		b.Cols[0].Codes = []uint32{b.Cols[0].Dict.CodeString("a")}
		b.Cols[1].Ints = []int64{2}
		return b
	}
	if _, err := p.Eval(good(), nil); err != nil {
		t.Fatal(err)
	}
	for name, harm := range map[string]func(b *batch.Batch){
		"columns": func(b *batch.Batch) { b.Cols = b.Cols[:1] },
		"type":    func(b *batch.Batch) { b.Cols[1].Type = batch.Timestamp },
		"short":   func(b *batch.Batch) { b.N = 2 },
		"dict":    func(b *batch.Batch) { b.Cols[0].Dict = nil },
		"nulls":   func(b *batch.Batch) { b.Cols[1].Valid = batch.Bitmap{} },
	} {
		b := good()
		harm(b)
		if _, err := p.Eval(b, nil); !errors.Is(err, expr.ErrBatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A program's own strings are bounded, whatever a plan says.
func TestStringsAreBounded(t *testing.T) {
	text := "concat(s, s)"
	for range 30 {
		text = "concat(" + text + ", s)"
	}
	b := tableBatch(t)
	e, err := sql.Bind("replace(replace(replace(replace("+text+", 'e', '"+strings.Repeat("e", 100)+"'), 'e', '"+strings.Repeat("e", 100)+"'), 'e', '"+strings.Repeat("e", 100)+"'), 'e', '"+strings.Repeat("e", 100)+"')", sql.Scope{Columns: tableSchema})
	if err != nil {
		t.Fatal(err)
	}
	p, err := expr.Compile(e, tableSchema, expr.Env{})
	if err != nil {
		t.Fatal(err)
	}
	reason := ""
	if _, err := p.Eval(b, func(_ int, r string) { reason = r }); err != nil || reason != "string longer than 1048576 bytes" {
		t.Errorf("%v, %q", err, reason)
	}
}
