package sql

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
	"github.com/leatio/leat/internal/pb"
)

var testScope = Scope{
	Columns: batch.Schema{
		{Name: "b", Type: batch.Bool}, {Name: "i", Type: batch.Int}, {Name: "temp", Type: batch.Double},
		{Name: "device", Type: batch.String}, {Name: "raw", Type: batch.Bytes}, {Name: "ts", Type: batch.Timestamp},
		{Name: "_topic", Type: batch.String}, {Name: "Mixed", Type: batch.Int}, {Name: "mixed2", Type: batch.Int},
		{Name: "_received_at", Type: batch.Timestamp}, {Name: "odd name", Type: batch.Int},
	},
	Functions:  map[string]Signature{"dewpoint": {Args: []batch.Type{batch.Double, batch.Double}, Result: batch.Double}},
	Aggregates: true,
	Zones:      testZones{},
	Params:     map[string]batch.Type{"limit": batch.Double, "tz": batch.String, "mars": batch.String},
}

// show writes a plan expression as a prefix term.
func show(e *plan.Expr, s batch.Schema) string {
	switch k := e.Kind.(type) {
	case *plan.Expr_Column:
		if int(k.Column) < len(s) {
			return s[k.Column].Name
		}
		return fmt.Sprintf("#%d", k.Column)
	case *plan.Expr_Literal:
		switch v := k.Literal.Kind.(type) {
		case nil:
			return "null:" + batch.Type(e.Type).String()
		case *plan.Value_Bool:
			return strconv.FormatBool(v.Bool)
		case *plan.Value_Int:
			if batch.Type(e.Type) == batch.Timestamp {
				return "ts" + strconv.FormatInt(v.Int, 10)
			}
			return strconv.FormatInt(v.Int, 10)
		case *plan.Value_Double:
			s := strconv.FormatFloat(v.Double, 'g', -1, 64)
			if !strings.ContainsAny(s, ".eIN") {
				s += ".0"
			}
			return s
		case *plan.Value_String_:
			return quoteString(v.String_)
		case *plan.Value_Bytes:
			return fmt.Sprintf(`\x%x`, v.Bytes)
		}
	case *plan.Expr_Call:
		parts := []string{k.Call.Op}
		if k.Call.Op == "cast" {
			parts[0] = "cast:" + batch.Type(e.Type).String()
		}
		for _, a := range k.Call.Args {
			parts = append(parts, show(a, s))
		}
		return "(" + strings.Join(parts, " ") + ")"
	}
	return "?"
}

type testZones struct{}

func (testZones) Zone(name string) error {
	if name == "Mars" {
		return errors.New("there is no zone Mars")
	}
	return nil
}

func (testZones) ZoneParam(name string) error {
	if name == "mars" {
		return errors.New("there is no zone in mars")
	}
	return nil
}

type noopScalar struct{}

func (noopScalar) Call(_ int64, _ []batch.Column, rows int, out *batch.Column) ([]expr.RowError, error) {
	for range rows {
		out.AppendNull()
	}
	return nil, nil
}

type noopFunctions struct{}

func (noopFunctions) Scalar(string) (expr.Scalar, error) { return noopScalar{}, nil }

// runnable tells whether package expr runs what the binder made, once the
// settings of an agent are known.
func runnable(e *plan.Expr, in batch.Schema) error {
	e = pb.Clone(e)
	err := plan.Substitute(e, func(_, _ string, t batch.Type) (*plan.Value, error) {
		if t == batch.String {
			return textLiteral("UTC").GetLiteral(), nil
		}
		return &plan.Value{}, nil
	})
	if err != nil {
		return err
	}
	_, err = expr.Compile(e, in, expr.Env{Functions: noopFunctions{}, Zones: map[string]*zone.Zone{"UTC": nil}})
	return err
}

func TestBind(t *testing.T) {
	tests := []struct{ text, want string }{
		// precedence
		{"1 + 2 * 3", "(+ 1 (* 2 3))"},
		{"(1 + 2) * 3", "(* (+ 1 2) 3)"},
		{"10 - 4 - 3", "(- (- 10 4) 3)"},
		{"i % 3 = 0 AND NOT b OR temp > 1", "(or (and (= (% i 3) 0) (not b)) (> temp 1.0))"},
		{"NOT i = 1", "(not (= i 1))"},
		{"NOT NOT b", "(not (not b))"},
		{"b OR b AND b", "(or b (and b b))"},
		{"b AND b AND b", "(and b b b)"},
		{"i = 1 IS NULL", "(is_null (= i 1))"},
		{"- i * 2", "(* (neg i) 2)"},
		{"-1::int", "(neg 1)"},
		{"- -1", "(neg -1)"},
		{"+i", "i"},
		{"i::double / 2", "(/ (cast:double i) 2.0)"},
		{"device || 'x' || i = 'ax1'", "(= (|| (|| device 'x') (cast:string i)) 'ax1')"},
		{"device || 'a' LIKE 'b' || '%'", "(like (|| device 'a') (|| 'b' '%'))"},
		{"i BETWEEN 1 AND 2 AND b", "(and (and (>= i 1) (<= i 2)) b)"},
		{"i NOT BETWEEN 1 AND 2", "(not (and (>= i 1) (<= i 2)))"},
		{"temp BETWEEN -40 AND 85", "(and (>= temp -40.0) (<= temp 85.0))"},
		{"i + 1 IN (1, 2, 3)", "(in (+ i 1) 1 2 3)"},
		{"i NOT IN (1, NULL)", "(not (in i 1 null:int))"},
		{"temp IN (1, i)", "(or (= temp 1.0) (= temp (cast:double i)))"}, {"i IN (1, 2.5, i)", "(or (= i 1) (= (cast:double i) 2.5) (= i i))"},
		{"device NOT LIKE 'a%'", "(not (like device 'a%'))"},
		// names
		{"TEMP", "temp"}, {`"temp"`, "temp"}, {"Mixed", "Mixed"}, {"MIXED2", "mixed2"}, {`"odd name"`, "odd name"},
		{"_topic", "_topic"}, {"_received_at", "_received_at"},
		// literals
		{"9223372036854775807", "9223372036854775807"}, {"-9223372036854775808", "-9223372036854775808"},
		{"1.", "1.0"}, {".5", "0.5"}, {"1e3", "1000.0"}, {"-2.5", "-2.5"},
		{"'it''s'", "'it''s'"}, {"''", "''"}, {"true", "true"}, {"FALSE", "false"},
		{"TIMESTAMP '1970-01-01T00:00:01Z'", "ts1000000"},
		{"timestamp '1970-01-01 01:00:00.5+01'", "ts500000"},
		{"1 /* one */ + -- two\n 2", "(+ 1 2)"},
		// conversions
		{"i + temp", "(+ (cast:double i) temp)"},
		{"temp > 35", "(> temp 35.0)"},
		{"35 < temp", "(< 35.0 temp)"},
		{"i = NULL", "(= i null:int)"},
		{"NULL = NULL", "(= null:string null:string)"},
		{"NULL IS NULL", "(is_null null:string)"},
		{"NULL AND b", "(and null:bool b)"},
		{"ts > '1970-01-01'", "(> ts ts0)"},
		{"i = '12'", "(= i 12)"},
		{"CAST(temp AS int)", "(cast:int temp)"}, {"CAST(i AS int)", "i"}, {"'5'::int", "5"}, {"NULL::double", "null:double"},
		{"i::double precision", "(cast:double i)"}, {"i::text", "(cast:string i)"},
		// CASE
		{"CASE WHEN b THEN 1 END", "(case b 1)"},
		{"CASE WHEN b THEN 1 ELSE 2.5 END", "(case b 1.0 2.5)"},
		{"CASE i WHEN 1 THEN 'a' WHEN 2 THEN 'b' ELSE NULL END", "(case (= i 1) 'a' (= i 2) 'b' null:string)"},
		{"CASE WHEN b THEN NULL ELSE temp END", "(case b null:double temp)"},
		// functions
		{"coalesce(i, 0)", "(coalesce i 0)"}, {"coalesce(i, temp)", "(coalesce (cast:double i) temp)"},
		{"greatest(1, temp, NULL)", "(greatest 1.0 temp null:double)"}, {"NULLIF(device, '')", "(nullif device '')"},
		{"abs(i)", "(abs i)"}, {"round(i)", "(round (cast:double i))"}, {"round(temp, 2)", "(round temp 2)"},
		{"power(2, i)", "(power 2.0 (cast:double i))"},
		{"lower(device)", "(lower device)"}, {"substr(device, 2)", "(substr device 2)"},
		{"concat(device, i, NULL)", "(concat device (cast:string i) null:string)"},
		{"regexp_like(device, '^a.c$')", "(regexp_like device '^a.c$')"},
		{"date_trunc('HOUR', ts)", "(date_trunc 'hour' ts)"},
		{"extract(Hour FROM ts)", "(extract 'hour' ts)"}, {"extract('dow', ts)", "(extract 'dow' ts)"},
		{"extract('epoch' from ts)", "(extract 'epoch' ts)"},
		{"temp > param('limit') * 2", "(> temp (* (param 'limit') 2.0))"}, {"label('site') || param('tz')", "(|| (label 'site') (param 'tz'))"},
		{`device LIKE 'a!%\%' ESCAPE '!'`, `(like device 'a\%\\%')`}, {`device LIKE 'a\' ESCAPE ''`, `(like device 'a\\')`},
		{"device NOT LIKE 'a' || device ESCAPE '!'", `(not (like device (like_escape (|| 'a' device) '!')))`}, {"device LIKE 'a' ESCAPE device", "(like device (like_escape 'a' device))"},
		{"i BETWEEN 1 AND 2.5", "(and (>= i 1) (<= (cast:double i) 2.5))"},
		{"nullif(i, 2.5)", "(case (= (cast:double i) 2.5) null:int i)"}, {"nullif(temp, i)", "(nullif temp (cast:double i))"},
		{"concat(b)", "(concat (case b 't' (not b) 'f'))"}, {"'' || b", "(|| '' (cast:string b))"},
		{`raw = '\xAB'`, `(= raw \xab)`}, {"raw::text", "(cast:string raw)"},
		// time zones
		{"ts AT TIME ZONE 'UTC'", "(to_zone 'UTC' ts)"}, {"ts AT TIME ZONE 'UTC' AT TIME ZONE param('tz')", "(from_zone (param 'tz') (to_zone 'UTC' ts))"},
		{"'1970-01-01' AT TIME ZONE 'UTC' > ts", "(> (to_zone 'UTC' ts0) ts)"},
		{"-i * 2 = 1 AND ts at time zone 'UTC' IS NULL", "(and (= (* (neg i) 2) 1) (is_null (to_zone 'UTC' ts)))"},
		{"extract(hour FROM ts AT TIME ZONE 'UTC')", "(extract 'hour' (to_zone 'UTC' ts))"},
		{"date_trunc('day', ts, 'UTC')", "(date_trunc 'day' ts 'UTC')"},
		{"date_trunc('day', ts AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'", "(from_zone 'UTC' (date_trunc 'day' (to_zone 'UTC' ts)))"},
		{"date_trunc('day', ts AT TIME ZONE 'UTC', 'UTC') AT TIME ZONE 'UTC'", "(to_zone 'UTC' (date_trunc 'day' (to_zone 'UTC' ts) 'UTC'))"},
		{"(ts AT TIME ZONE 'UTC')::text || ts", "(|| (local_text (to_zone 'UTC' ts)) (cast:string ts))"},
		{"CAST(ts AT TIME ZONE 'UTC' AS timestamp)::text", "(cast:string (to_zone 'UTC' ts))"},
		{"coalesce(NULL, ts AT TIME ZONE 'UTC', '1970-01-01')::text", "(local_text (coalesce null:timestamp (to_zone 'UTC' ts) ts0))"},
		{"coalesce(ts AT TIME ZONE 'UTC', ts)::text", "(cast:string (coalesce (to_zone 'UTC' ts) ts))"},
		{"nullif(ts AT TIME ZONE 'UTC', ts)::text", "(local_text (nullif (to_zone 'UTC' ts) ts))"},
		{"CASE WHEN b THEN ts AT TIME ZONE 'UTC' END || ''", "(|| (local_text (case b (to_zone 'UTC' ts))) '')"},
		{"TIMESTAMP WITH TIME ZONE '1970-01-01 01:00+01'", "ts0"}, {"timestamptz '1970-01-01'", "ts0"}, {"ts::timestamp with time zone", "ts"},
		{"dewpoint(temp, i)", "(udf:dewpoint temp (cast:double i))"}, {"DewPoint(temp, 1)", "(udf:dewpoint temp 1.0)"},
	}
	for _, tt := range tests {
		e, err := Bind(tt.text, testScope)
		if err != nil {
			t.Errorf("Bind(%s): %v", tt.text, err)
			continue
		}
		if got := show(e, testScope.Columns); got != tt.want {
			t.Errorf("Bind(%s)\n got %s\nwant %s", tt.text, got, tt.want)
		}
		if err := runnable(e, testScope.Columns); err != nil {
			t.Errorf("Compile(%s): %v", tt.text, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct {
		text string
		want string // offset:message|offset:message
	}{
		{"", `0:unexpected end of the expression, expected a column, a value or a function`},
		{"1 +", `3:unexpected end of the expression, expected a column, a value or a function`},
		{"(1", `2:unexpected end of the expression, expected ")"`},
		{"1)", `1:unexpected ")", expected an operator or the end`},
		{"1 2", `2:unexpected "2", expected an operator or the end`},
		{"'abc", `0:the string is not closed, expected '`},
		{`"abc`, `0:the quoted name is not closed, expected "`},
		{"1 /* x", `2:the comment is not closed, expected */`},
		{"1 ? 2", `2:unexpected character '?', expected an operator or an operand`},
		{"i ^ 2", `2:there is no operator ^, expected power(x, y)`},
		{"12ab", `0:trailing 'a' after the number 12, expected an operator`},
		{"E'x'", `0:E'...' strings are not supported, expected a plain string '...'`},
		{"a\xff", `1:byte 0xff is not UTF-8`},
		{"i < 1 < 2", `6:comparisons do not chain, expected AND: a < b AND b < c`},
		{"i = 1 = b", `6:comparisons do not chain, expected AND: a < b AND b < c`},
		{"device LIKE 'a' LIKE 'b'", `16:LIKE does not chain, expected parentheses or AND`},
		{"i IS 3", `5:unexpected "3", expected NULL or NOT NULL after IS`},
		{"CASE WHEN b THEN 1", `18:unexpected end of the expression, expected "END"`},
		{"CASE END", `5:unexpected END, expected a column, a value or a function (a column of this name must be quoted: "END")`},
		{"i IN ()", `6:IN needs at least one value`},
		{"i IN (SELECT 1)", `6:subqueries are not supported, expected a list of values`},
		{"device ILIKE 'a'", `7:ILIKE is not supported, expected LIKE, regexp_like(text, pattern) or IS [NOT] NULL`},
		{"a.b", `1:unexpected ".", columns have no qualifiers here`},
		{"ts AT TIME ZONE 'Mars'", `16:there is no zone Mars`},
		{"ts AT TIME ZONE param('mars')", `16:there is no zone in mars`},
		{"ts AT TIME ZONE device", `16:a time zone is a string literal or param('name'), expected one such as 'Europe/Paris'`},
		{"ts AT TIME ZONE 3", `16:AT TIME ZONE needs a string, not int`},
		{"i AT TIME ZONE 'UTC'", `0:AT TIME ZONE needs a timestamp, not int`},
		{"date_trunc('day', ts, 'Mars')", `22:there is no zone Mars`},
		{"ts AT TIME 'UTC'", `11:unexpected string 'UTC', expected "ZONE"`},
		{"TIMESTAMP WITH TIME ZONE 3", `25:unexpected "3", expected a timestamp such as '2026-01-31 12:30:00+01'`},
		{"ts - INTERVAL '1 day'", `5:INTERVAL is not supported yet, expected a number or a timestamp`},
		{"count(DISTINCT i)", `6:DISTINCT is not supported, expected an argument`},
		{"CAST(i AS varchar(3))", `17:types have no length here, expected varchar`},
		// names
		{"tmep > 3", `0:unknown column "tmep", did you mean "temp"?`},
		{`"Temp"`, `0:unknown column "Temp", did you mean "temp"?`},
		{"xyzzy", `0:unknown column "xyzzy", expected one of Mixed, _received_at, _topic, b, device, i, mixed2, odd name, raw, temp, ts`},
		{"rond(temp)", `0:unknown function "rond", did you mean "round"?`},
		{"param('limt') < temp", `6:unknown parameter "limt", did you mean "limit"?`},
		{"param(device) < temp", `0:param takes one string literal, expected param('name')`},
		{"param('limit', 1) < temp", `0:param takes one string literal, expected param('name')`},
		{"label() = 'x'", `0:label takes one string literal, expected label('name')`},
		{"label('') = 'x'", `6:a label has no name, expected one such as label('site')`},
		{"param('limit') = 'x'", `17:invalid input syntax for type double: "x", expected a number`},
		{"avg(temp)", `0:avg is an aggregate, expected it in the emit of a window only`},
		// types
		{"i AND b", `0:AND needs a bool, not int`},
		{"device + 1", `0:+ needs numbers, not string, expected int or double`},
		{"ts - ts", `3:timestamp arithmetic is not supported yet, expected numbers: extract(epoch FROM ...) gives seconds`},
		{"temp % 2", `5:% needs ints, not double, expected a CAST(... AS int)`},
		{"NULL + NULL", `5:the types around + are not known, expected int or double`},
		{"device = 3", `9:cannot compare string with int, expected equal types or a CAST`},
		{"i = 'x'", `4:invalid input syntax for type int: "x", expected digits`},
		{"ts > 'soon'", `5:invalid input syntax for type timestamp: "soon", expected 2026-01-31T12:30:00Z`},
		{"TIMESTAMP '2026-02-30'", `10:date out of range: "2026-02-30", expected 2026-01-31T12:30:00Z`},
		{"raw || raw", `4:|| joins strings, not bytes and bytes, expected a CAST(... AS string)`},
		{"-device", `1:- needs a number, not string, expected int or double`},
		{"NULL", `0:the type of NULL is not known here, expected CAST(NULL AS double) or another type`},
		{"CASE WHEN b THEN NULL END", `0:every result of this CASE is NULL, expected a typed one such as CAST(NULL AS double)`},
		{"CASE WHEN b THEN 1 ELSE device END", `24:the results of a CASE are int and string, expected one type`},
		{"coalesce(i, device)", `12:the arguments of coalesce are int and string, expected one type`},
		{"CAST(raw AS int)", `0:cannot cast bytes to int`},
		{"i::blob", `3:unknown type "blob", expected bool, int, double, string, bytes or timestamp`},
		{"9223372036854775808", `0:integer 9223372036854775808 is out of range, expected 64 bits (with a decimal point it is a double)`},
		{"1e999", `0:number 1e999 is out of range, expected at most 1.8e308`},
		{"sqrt(device)", `5:argument 1 of sqrt is string, expected double`},
		{"substr(device, temp)", `15:argument 2 of substr is double, expected int`},
		{"sqrt(1, 2)", `0:there is no sqrt(int, int), expected sqrt(double)`},
		{"dewpoint(temp)", `0:dewpoint takes 2 arguments, not 1, expected dewpoint(double, double)`},
		{"dewpoint(temp, device)", `15:argument 2 of dewpoint needs a double, not string`},
		{"regexp_like(device, '(')", "20:error parsing regexp: missing closing ): `(?s)(`, expected a pattern in RE2 syntax"},
		{"regexp_like(device, device)", `20:regexp_like needs a string literal as its pattern`},
		{`device LIKE 'a\'`, `12:the pattern ends in its escape character, expected a character after it`},
		{"date_trunc('eon', ts)", `11:date_trunc does not know "eon", expected one of microseconds, milliseconds, second, minute, hour, day, week, month, quarter, year, decade, century, millennium`},
		{"extract(eon FROM ts)", `8:extract does not know "eon", expected one of microseconds, milliseconds, second, minute, hour, day, dow, isodow, doy, week, month, quarter, year, isoyear, decade, century, millennium, epoch`},
		{"lower(*)", `0:lower(*) is not a function, expected count(*)`},
		{"device IN (1)", `11:cannot compare string with int, expected equal types or a CAST`},
		{`raw = '\xabc'`, `6:invalid input syntax for type bytes: "\\xabc", expected hexadecimal digits after \x`},
		{"-NULL", `1:- needs a number, not NULL, expected int or double`},
		{"nullif(i)", `0:nullif takes 2 arguments, not 1`},
		{"coalesce()", `0:coalesce takes at least one argument, not 0`},
		{"greatest(NULL, NULL)", `0:every argument of greatest is NULL, expected a typed one such as CAST(NULL AS double)`},
		{"* 3", `0:unexpected "*", expected a column, a value or a function`},
		{"(1, 2)", `2:unexpected ",", rows in parentheses are not supported`},
		{"CAST(i AS 'x')", `10:unexpected string 'x', expected a type: bool, int, double, string, bytes or timestamp`},
		{"extract(5 FROM ts)", `8:unexpected "5", expected a field such as hour`},
		{"count(i) OVER ()", `9:OVER is not supported, expected an operator or the end`},
		{"device LIKE 'a' ESCAPE 'xy'", `23:the escape is more than one character, expected one or none`},
		{"device LIKE 'ax' ESCAPE 'x'", `12:the pattern ends in its escape character, expected a character after it`},
		{"b AND 'maybe'", `6:invalid input syntax for type bool: "maybe", expected true or false`},
		{"temp > 'warm'", `7:invalid input syntax for type double: "warm", expected a number`},
		{`""`, `0:a quoted name is empty, expected a column between the quotes`},
		{"1e", `0:trailing 'e' after the number 1, expected an operator`},
		{"device LIKE 'a' NOT LIKE 'b'", `16:LIKE does not chain, expected parentheses or AND`},
		{"date_trunc(device, ts)", `11:date_trunc needs a string literal here, expected one of microseconds, milliseconds, second, minute, hour, day, week, month, quarter, year, decade, century, millennium`},
		{"'abc\x00'", `0:the string holds a zero byte or is not UTF-8`},
		{"i IN (1 2)", `8:unexpected "2", expected "," or ")"`},
		{"round(device, 'x')", `6:argument 1 of round is string, expected double`},
		{"sum(temp) > 3 AND tmp", `0:sum is an aggregate, expected it in the emit of a window only|18:unknown column "tmp", did you mean "temp"?`},
		{"CASE i WHEN 'x' THEN 1 END", `12:invalid input syntax for type int: "x", expected digits`},
		// several at once
		{"tmep > 3 AND i + device = 1 OR rond(1) = 2", `0:unknown column "tmep", did you mean "temp"?|17:+ needs numbers, not string, expected int or double|31:unknown function "rond", did you mean "round"?`},
		{"lower(i) = upper(b)", `6:argument 1 of lower is int, expected string|17:argument 1 of upper is bool, expected string`},
	}
	for _, tt := range tests {
		_, err := Bind(tt.text, testScope)
		if got := showErrors(err); got != tt.want {
			t.Errorf("Bind(%s)\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

func showErrors(err error) string {
	var parts []string
	for _, e := range Errors(err) {
		parts = append(parts, fmt.Sprintf("%d:%s", e.Offset, e.Msg))
	}
	return strings.Join(parts, "|")
}

func TestAggregates(t *testing.T) {
	tests := []struct{ text, calls, want string }{
		{"count(*)", "count(*):int", "#0"},
		{"avg(temp)", "avg(temp):double", "#0"},
		{"avg(i)", "avg(i):double", "#0"},
		{"sum(i)", "sum(i):int", "#0"},
		{"sum(temp)", "sum(temp):double", "#0"},
		{"count(device)", "count(device):int", "#0"},
		{"first(ts)", "first(ts):timestamp", "#0"},
		{"stddev_samp(i)", "stddev_samp(i):double", "#0"},
		{"bool_or(b)", "bool_or(b):bool", "#0"},
		{"increase(i)", "increase(i):int", "#0"},
		{"approx_count_distinct(device)", "approx_count_distinct(device):int", "#0"},
		{"top_k(device, 5)", "top_k(device,5):string", "#0"},
		{"quantile(temp, 0.99) - quantile(temp, .5) + quantile(temp, 0.990)", "quantile(temp,0.99):double quantile(temp,0.5):double", "(+ (- #0 #1) #0)"},
		{"max(temp) - min(temp)", "max(temp):double min(temp):double", "(- #0 #1)"},
		{"avg(temp) + avg(temp) * count(*)", "avg(temp):double count(*):int", "(+ #0 (* #0 (cast:double #1)))"},
		{"sum(CASE WHEN b THEN 1 ELSE 0 END)", "sum((case b 1 0)):int", "#0"},
		{"round(max(dewpoint(temp, i)), 1)", "max((udf:dewpoint temp (cast:double i))):double", "(round #0 1)"},
	}
	for _, tt := range tests {
		a, err := BindAggregates(tt.text, testScope)
		if err != nil {
			t.Errorf("BindAggregates(%s): %v", tt.text, err)
			continue
		}
		var calls []string
		for _, c := range a.Calls {
			arg := "*"
			if c.Arg != nil {
				arg = show(c.Arg, testScope.Columns)
			}
			if c.Param != 0 {
				arg += fmt.Sprintf(",%v", c.Param)
			}
			calls = append(calls, fmt.Sprintf("%s(%s):%s", c.Function, arg, c.Type))
		}
		if got := strings.Join(calls, " "); got != tt.calls {
			t.Errorf("BindAggregates(%s) calls\n got %s\nwant %s", tt.text, got, tt.calls)
		}
		if got := show(a.Expr, nil); got != tt.want {
			t.Errorf("BindAggregates(%s)\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
	mistakes := []struct{ text, want string }{
		{"temp", `0:column "temp" stands outside an aggregate, expected a call such as last(temp)`},
		{"avg(temp) + i", `12:column "i" stands outside an aggregate, expected a call such as last(i)`},
		{"avg(max(temp))", `4:aggregate max stands inside another aggregate, expected a column or a scalar function`},
		{"1 + 2", `0:there is no aggregate here, expected a call such as count(*)`},
		{"sum(device)", `4:sum cannot aggregate string, expected int or double`},
		{"min(raw)", `4:min cannot aggregate bytes, expected any type but bytes`},
		{"avg(*)", `0:avg(*) is not an aggregate, expected count(*) or avg(column)`},
		{"avg()", `0:avg takes one argument, not 0`},
		{"quantile(temp)", `0:quantile takes two arguments, the second is a number from 0 to 1`},
		{"quantile(temp, 1.5)", `15:the second argument of quantile is not right, expected a number from 0 to 1, written as a number`},
		{"quantile(temp, hum)", `15:the second argument of quantile is not right, expected a number from 0 to 1, written as a number`},
		{"quantile(device, 0.5)", `9:quantile cannot aggregate string, expected int or double`},
		{"top_k(device, 2.5)", `14:the second argument of top_k is not right, expected a whole number from 1 to 100, written as a number`},
		{"top_k(device, 101)", `14:the second argument of top_k is not right, expected a whole number from 1 to 100, written as a number`},
		{"bool_and(i)", `9:bool_and cannot aggregate int, expected bool`},
		{"quantile(avg(temp), 0.5)", `9:aggregate avg stands inside another aggregate, expected a column or a scalar function`},
		{"sum(NULL)", `4:the type of NULL is not known here, expected CAST(NULL AS double) or another type`},
	}
	for _, tt := range mistakes {
		_, err := BindAggregates(tt.text, testScope)
		if got := showErrors(err); got != tt.want {
			t.Errorf("BindAggregates(%s)\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

func TestBounds(t *testing.T) {
	nested := "i"
	for range 40 {
		nested = "(CASE " + nested + " WHEN 1 THEN 1 WHEN 2 THEN 2 ELSE 3 END)"
	}
	tests := []struct{ name, text, want string }{
		{"parentheses", strings.Repeat("(", 10_000) + "1", "nested deeper than 200"},
		{"signs", strings.Repeat("- ", 1000) + "i", "nested deeper than 200"},
		{"not", strings.Repeat("NOT ", 1000) + "b", "nested deeper than 200"},
		{"chain", "i" + strings.Repeat(" + 1", 1000), "nested deeper than 200"},
		{"casts", "i" + strings.Repeat("::int", 1000), "nested deeper than 200"},
		{"text", strings.Repeat(" ", MaxText) + "1", "at most 65536 are allowed"},
		{"list", "i IN (1" + strings.Repeat(",1", MaxNodes) + ")", "more than 5000 operations"},
		{"written out", nested, "more than 5000 operations"},
	}
	for _, tt := range tests {
		_, err := Bind(tt.text, testScope)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %.200v, want %q", tt.name, err, tt.want)
		}
	}
	// Many conditions in a row are not deep.
	wide := "i = 0" + strings.Repeat(" OR i = 1", 1000)
	if e, err := Bind(wide, testScope); err != nil {
		t.Error(err)
	} else if _, err := expr.Compile(e, testScope.Columns, expr.Env{}); err != nil {
		t.Error(err)
	}
}

func FuzzBind(f *testing.F) {
	for _, s := range []string{"1 + 2 * temp", "CASE i WHEN 1 THEN 'a' ELSE \"odd name\" END LIKE 'x%'", "extract(hour FROM ts::timestamp) IN (1, NULL)",
		"NOT b AND i NOT BETWEEN -1 AND 2e3 OR device IS NOT NULL", "avg(temp) - coalesce(max(i), count(*))", "E'", "/*", "date_trunc('hour', '2026-01-01')"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		check := func(err error) {
			if err == nil {
				return
			}
			list := Errors(err)
			if len(list) == 0 {
				t.Fatalf("an error without *Error: %v", err)
			}
			for _, e := range list {
				if e.Offset < 0 || e.Offset > len(text) {
					t.Fatalf("offset %d in a text of %d bytes: %s", e.Offset, len(text), e.Msg)
				}
			}
		}
		e, err := Bind(text, testScope)
		check(err)
		if err == nil {
			// What the binder makes, the engine runs.
			if err := runnable(e, testScope.Columns); err != nil {
				t.Fatalf("Compile(%s): %v", show(e, testScope.Columns), err)
			}
		}
		a, err := BindAggregates(text, testScope)
		check(err)
		if err == nil {
			var s batch.Schema
			for _, c := range a.Calls {
				s = append(s, batch.Field{Type: c.Type})
			}
			if err := runnable(a.Expr, s); err != nil {
				t.Fatalf("Compile: %v", err)
			}
		}
	})
}
