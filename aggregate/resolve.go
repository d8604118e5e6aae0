package aggregate

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

// Resolve tells which accumulators a function needs and the type of its
// result. star means count(*); arg is the type of the argument otherwise, and
// param the second argument of the functions that take one, else 0.
func Resolve(function string, star bool, arg batch.Type, param float64) (specs []Spec, result batch.Type, err error) {
	if star {
		if function != "count" {
			return nil, 0, fmt.Errorf("%s(*): %w: only count takes *", function, ErrType)
		}
		specs, result = []Spec{{Kind: Count}}, batch.Int
	} else {
		switch function {
		case "count":
			specs, result = []Spec{{Kind: CountValue, In: arg}}, batch.Int
		case "sum":
			specs, result = []Spec{{Kind: Sum, In: arg}}, arg
		case "avg":
			specs, result = []Spec{{Kind: Sum, In: arg}, {Kind: CountValue, In: arg}}, batch.Double
		case "min", "max", "first", "last":
			specs, result = []Spec{{Kind: function, In: arg}}, arg
		case "var_pop", "var_samp", "stddev_pop", "stddev_samp":
			specs, result = []Spec{{Kind: Moments, In: arg}}, batch.Double
		default:
			return nil, 0, fmt.Errorf("%s: %w", function, ErrFunction)
		}
	}
	if param != 0 {
		return nil, 0, fmt.Errorf("%s: %w: it takes none", function, ErrParam)
	}
	for _, s := range specs {
		if _, err := StateTypes(s); err != nil {
			return nil, 0, fmt.Errorf("%s(%s): %w", function, arg, ErrType)
		}
	}
	return specs, result, nil
}
