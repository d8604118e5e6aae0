package compile

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

var infixOps = []string{"+", "-", "*", "/", "%", "=", "<>", "<", "<=", ">", ">=", "and", "or", "like", "||"}

// exprText writes an expression of a plan as SQL, for people to read. Casts
// that the compiler put in are shown.
func exprText(e *plan.Expr, in []*plan.Column) string {
	return textOf(e, func(col int) string { return identifier(in[col].Name) })
}

// textOf writes an expression whose columns have the given texts.
func textOf(e *plan.Expr, column func(int) string) string {
	switch k := e.Kind.(type) {
	case *plan.Expr_Column:
		return column(int(k.Column))
	case *plan.Expr_Literal:
		return literalText(k.Literal, batch.Type(e.Type))
	case *plan.Expr_Call:
		args := make([]string, len(k.Call.Args))
		for i, a := range k.Call.Args {
			args[i] = textOf(a, column)
			if c := a.GetCall(); c != nil && slices.Contains(infixOps, c.Op) && binds(k.Call.Op) {
				args[i] = "(" + args[i] + ")"
			}
		}
		return callText(k.Call.Op, args, batch.Type(e.Type))
	}
	return "?"
}

// binds tells whether an operation stands beside its arguments, not around them.
func binds(op string) bool {
	return slices.Contains(infixOps, op) || slices.Contains([]string{"neg", "not", "is_null", "is_not_null", "in"}, op)
}

func callText(op string, args []string, t batch.Type) string {
	switch {
	case slices.Contains(infixOps, op) && len(args) > 1:
		word := op
		if op[0] >= 'a' && op[0] <= 'z' {
			word = strings.ToUpper(op)
		}
		return strings.Join(args, " "+word+" ")
	case op == "neg" && len(args) == 1:
		return "-" + args[0]
	case op == "not" && len(args) == 1:
		return "NOT " + args[0]
	case op == "is_null" && len(args) == 1:
		return args[0] + " IS NULL"
	case op == "is_not_null" && len(args) == 1:
		return args[0] + " IS NOT NULL"
	case op == "in" && len(args) > 1:
		return fmt.Sprintf("%s IN (%s)", args[0], strings.Join(args[1:], ", "))
	case op == "cast" && len(args) == 1:
		return fmt.Sprintf("CAST(%s AS %s)", args[0], t)
	case op == "case":
		return caseText(args)
	case (op == plan.ToZoneOp || op == plan.FromZoneOp) && len(args) == 2:
		return args[1] + " AT TIME ZONE " + args[0]
	case op == "local_text" && len(args) == 1:
		return fmt.Sprintf("CAST(%s AS %s)", args[0], t)
	}
	return fmt.Sprintf("%s(%s)", strings.TrimPrefix(op, udfPrefix), strings.Join(args, ", "))
}

func caseText(args []string) string {
	var b strings.Builder
	b.WriteString("CASE")
	for len(args) > 1 {
		fmt.Fprintf(&b, " WHEN %s THEN %s", args[0], args[1])
		args = args[2:]
	}
	if len(args) == 1 {
		b.WriteString(" ELSE " + args[0])
	}
	return b.String() + " END"
}

func literalText(v *plan.Value, t batch.Type) string {
	switch k := v.Kind.(type) {
	case *plan.Value_Bool:
		return strconv.FormatBool(k.Bool)
	case *plan.Value_Int:
		if t == batch.Timestamp {
			return "TIMESTAMP '" + time.UnixMicro(k.Int).UTC().Format("2006-01-02T15:04:05.999999Z07:00") + "'"
		}
		return strconv.FormatInt(k.Int, 10)
	case *plan.Value_Double:
		return strconv.FormatFloat(k.Double, 'g', -1, 64)
	case *plan.Value_String_:
		return "'" + strings.ReplaceAll(k.String_, "'", "''") + "'"
	case *plan.Value_Bytes:
		return fmt.Sprintf(`'\x%x'`, k.Bytes)
	}
	return "NULL"
}

var plainIdentifier = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

func identifier(name string) string {
	if plainIdentifier.MatchString(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// longestText is the longest text of a column that is kept as it is.
const longestText = 200

// text is a column as an expression over those that come with its space, by
// which versions of a pipeline are compared. Long ones are cut and hashed.
func (r *rows) text(col int) string {
	c := &r.columns[col]
	if c.text != "" {
		return c.text
	}
	c.text = identifier(c.name)
	if n := c.made; n != nil && n.exprs != nil {
		c.text = textOf(n.exprs[col-n.base], func(at int) string {
			t := r.text(at)
			if plainIdentifier.MatchString(t) {
				return t
			}
			return "(" + t + ")"
		})
	} else if n != nil {
		c.text = n.keyed.name + "." + c.text
	}
	if len(c.text) > longestText {
		c.text = fmt.Sprintf("%s... #%x", strings.ToValidUTF8(c.text[:longestText/2], ""), sha256.Sum256([]byte(c.text)))
	}
	return c.text
}
