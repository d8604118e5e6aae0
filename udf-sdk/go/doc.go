// Package leat is the face of ABI version 1 for scalar functions in Go. It exists for
// wasip1 only:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags="-s -w" -o f.wasm
//
// A module registers its functions in an init function and has an empty main:
//
//	func init() {
//		leat.Register(leat.Module{Name: "twice", Version: "1.0.0", Functions: []leat.Function{{
//			Name:   "twice",
//			Args:   []leat.Arg{{Name: "x", Type: leat.Double}},
//			Result: leat.Double,
//			Call: func(in *leat.Input, out *leat.Output) error {
//				y := out.Doubles()
//				for i, x := range in.Doubles(0) {
//					y[i] = 2 * x
//				}
//				return nil
//			},
//		}}})
//	}
//
// A function gets a batch of rows at once, as columns that view the frame the
// host wrote; they are valid until it returns. Goroutines do not run between calls.
package leat
