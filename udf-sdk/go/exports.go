//go:build wasip1

package leat

import (
	"math"
	"unsafe"
)

//go:wasmexport leat_abi_v1
func abiV1() int32 { return 1 }

//go:wasmexport leat_describe
func describe() int64 { return pack(unsafe.Pointer(unsafe.SliceData(manifest)), len(manifest)) }

//go:wasmexport leat_reserve
func reserve(size int32) int32 {
	if size < 0 || size > math.MaxInt32-8 {
		return 0
	}
	if words := int(size+7) / 8; cap(region) < words {
		region = make([]uint64, words)
	}
	return int32(uintptr(unsafe.Pointer(unsafe.SliceData(region))))
}

//go:wasmexport leat_call
func call(function, length int32) int64 {
	if function < 0 || int(function) >= len(functions) {
		return fail("there is no function of this id")
	}
	f := &functions[function]
	base := unsafe.Pointer(unsafe.SliceData(region))
	input = Input{base: base, rows: int((*header)(base).rows)}
	output.reset(f.Result, input.rows)
	if err := f.Call(&input, &output); err != nil {
		return fail(err.Error())
	}
	n := output.finish()
	return pack(output.base(), n)
}

func fail(text string) int64 {
	message = append(message[:0], text...)
	return ^pack(unsafe.Pointer(unsafe.SliceData(message)), len(message))
}

func pack(p unsafe.Pointer, n int) int64 { return int64(uint64(uintptr(p))<<32 | uint64(uint32(n))) }
