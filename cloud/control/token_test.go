package control_test

import (
	"errors"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/transport/identity"
)

// What is wrong in a token is told when it is minted, not when an agent far away tries it.
func TestWrongTokensAreNotMinted(t *testing.T) {
	for name, o := range map[string]identity.TokenOptions{
		"name":  {Name: "a b"},
		"label": {Labels: map[string]string{"a b": "c"}},
		"life":  {Life: -time.Second},
		"uses":  {Uses: -1},
	} {
		if _, _, err := new(control.Fleet).Token(t.Context(), o); !errors.Is(err, control.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
