package wasm

import (
	"os"
	"sync"
	"testing"
)

// Two loads of one module shared the engine's code, and closing one took it
// from under the other: a cloud node died while several workers loaded it.
func TestEqualModulesAreLoadedAndClosedSideBySide(t *testing.T) {
	code, err := os.ReadFile("../examples/udf/dewpoint-c.wasm")
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewHost(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				m, err := h.Load(t.Context(), code)
				if err != nil {
					t.Error(err)
					return
				}
				if err := m.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
