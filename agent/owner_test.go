package agent

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/transport/identity"
)

// An agent that joined anew over a store that was filled before said nothing and was refused by the cloud for ever.
func TestStoreOfAnotherEpochIsRefusedAtTheStart(t *testing.T) {
	store, err := checkpoint.Open(checkpoint.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- store.Run(ctx) }()
	a := &Agent{store: store, id: &identity.Agent{ID: "gw", Epoch: 1}}
	if err := errors.Join(a.checkOwner(), a.keepOwner(), a.checkOwner()); err != nil {
		t.Errorf("a store of its own: %v", err)
	}
	a.id = &identity.Agent{ID: "gw", Epoch: 2}
	if err := a.checkOwner(); err == nil || !strings.Contains(err.Error(), "epoch 1") || !strings.Contains(err.Error(), "move the store away") {
		t.Errorf("a store of epoch 1 under epoch 2: %v", err)
	}
	cancel()
	if err := errors.Join(<-done, store.Close()); err != nil {
		t.Error(err)
	}
}
