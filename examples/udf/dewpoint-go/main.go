//go:build wasip1

// Command dewpoint-go is the module dewpoint: dewpoint(temp, humidity).
package main

import (
	"github.com/leatio/leat/examples/udf/dewpoint-go/magnus"
	leat "github.com/leatio/leat/udf-sdk/go"
)

func init() {
	leat.Register(leat.Module{
		Name:    "dewpoint",
		Version: "1.2.0",
		Functions: []leat.Function{{
			Name:   "dewpoint",
			Args:   []leat.Arg{{Name: "temp", Type: leat.Double}, {Name: "humidity", Type: leat.Double}},
			Result: leat.Double,
			Call:   dewpoint,
		}},
	})
}

func dewpoint(in *leat.Input, out *leat.Output) error {
	temp, humidity, dew := in.Doubles(0), in.Doubles(1), out.Doubles()
	for i := range dew {
		v, ok := magnus.DewPoint(temp[i], humidity[i])
		if !ok {
			out.SetNull(i)
		}
		dew[i] = v
	}
	return nil
}

func main() {}
