package expr

import (
	"fmt"
	"strings"

	"github.com/leatio/leat/engine/batch"
)

// UDFPrefix begins the name of an operation that is a user-defined function.
const UDFPrefix = "udf:"

// signatures lists, for each operation with fixed arguments, what it takes and
// gives: one letter per type (b bool, i int, d double, s string, y bytes, t
// timestamp), the result after the colon.
var signatures = map[string][]string{
	"+":           {"ii:i", "dd:d"},
	"-":           {"ii:i", "dd:d"},
	"*":           {"ii:i", "dd:d"},
	"/":           {"ii:i", "dd:d"},
	"%":           {"ii:i"},
	"neg":         {"i:i", "d:d"},
	"not":         {"b:b"},
	"like":        {"ss:b"},
	"like_escape": {"ss:s"},
	"abs":         {"i:i", "d:d"},
	"round":       {"d:d", "di:d"},
	"floor":       {"d:d"},
	"ceil":        {"d:d"},
	"sqrt":        {"d:d"},
	"power":       {"dd:d"},
	"ln":          {"d:d"},
	"exp":         {"d:d"},
	"lower":       {"s:s"},
	"upper":       {"s:s"},
	"length":      {"s:i"},
	"substr":      {"si:s", "sii:s"},
	"||":          {"ss:s"},
	"replace":     {"sss:s"},
	"split_part":  {"ssi:s"},
	"regexp_like": {"ss:b"},
	"date_trunc":  {"st:t", "sts:t"},
	"to_zone":     {"st:t"},
	"from_zone":   {"st:t"},
	"local_text":  {"t:s"},
	"extract":     {"st:d"},
}

const typeLetters = " bidsyt" // by batch.Type

// Overloads gives the argument types and result of each form of an operation
// with a fixed number of arguments; none when op is not such an operation.
func Overloads(op string) (args [][]batch.Type, results []batch.Type) {
	for _, sig := range signatures[op] {
		in, out, _ := strings.Cut(sig, ":")
		types := make([]batch.Type, len(in))
		for i := range in {
			types[i] = batch.Type(strings.IndexByte(typeLetters, in[i]))
		}
		args = append(args, types)
		results = append(results, batch.Type(strings.IndexByte(typeLetters, out[0])))
	}
	return args, results
}

// ResultType is the type of an operation on arguments of these types. want is
// the type that the expression says; only a cast needs it. Arguments must have the exact types: conversions are
// explicit casts.
func ResultType(op string, args []batch.Type, want batch.Type) (batch.Type, error) {
	for _, t := range args {
		if !t.Valid() {
			return 0, fmt.Errorf("%w: %s of %s", ErrInvalid, op, t)
		}
	}
	if _, fixed := signatures[op]; fixed {
		forms, results := Overloads(op)
		for k, form := range forms {
			if string(typeBytes(form)) == string(typeBytes(args)) {
				return results[k], nil
			}
		}
		return 0, typesError(op, args)
	}
	if t, ok := variadicType(op, args, want); ok {
		return t, nil
	}
	return 0, typesError(op, args)
}

func typeBytes(types []batch.Type) []byte {
	b := make([]byte, len(types))
	for i, t := range types {
		b[i] = byte(t)
	}
	return b
}

func typesError(op string, args []batch.Type) error {
	names := make([]string, len(args))
	for i, t := range args {
		names[i] = t.String()
	}
	return fmt.Errorf("%w: there is no %s(%s)", ErrInvalid, op, strings.Join(names, ", "))
}

// variadicType types the operations whose arguments are many or of any type.
func variadicType(op string, args []batch.Type, want batch.Type) (batch.Type, bool) {
	n := len(args)
	switch op {
	case "=", "<>", "<", "<=", ">", ">=":
		return batch.Bool, n == 2 && args[0] == args[1]
	case "and", "or":
		return batch.Bool, n >= 2 && all(args, batch.Bool)
	case "is_null", "is_not_null":
		return batch.Bool, n == 1
	case "in":
		return batch.Bool, n >= 2 && all(args, args[0])
	case "concat":
		return batch.String, n >= 1 && all(args, batch.String)
	case "coalesce", "greatest", "least":
		if n == 0 {
			return 0, false
		}
		return args[0], all(args, args[0])
	case "nullif":
		if n != 2 {
			return 0, false
		}
		return args[0], args[0] == args[1]
	case "cast":
		return want, n == 1 && castable(args[0], want)
	case "case":
		return caseType(args)
	}
	return 0, false
}

// caseType types (cond1, val1, cond2, val2, ..., [else]).
func caseType(args []batch.Type) (batch.Type, bool) {
	n := len(args)
	if n < 2 {
		return 0, false
	}
	for i, t := range args {
		isCond := i%2 == 0 && i+1 < n
		if isCond && t != batch.Bool || !isCond && t != args[1] {
			return 0, false
		}
	}
	return args[1], true
}

func all(types []batch.Type, t batch.Type) bool {
	for _, have := range types {
		if have != t {
			return false
		}
	}
	return true
}
