package agent

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/leatio/leat/checkpoint"
)

// ownerKey files whose frames the store holds: agent id and store epoch.
const ownerKey = "owner"

func (a *Agent) owner() string { return fmt.Sprintf("%s/%d", a.id.ID, a.id.Epoch) }

// checkOwner refuses a store that was filled under another id or epoch: the
// cloud would refuse its frames for ever, one by one.
func (a *Agent) checkOwner() error {
	value, err := a.store.Get(ownerKey)
	if err != nil || value == nil || string(value) == a.owner() {
		return err
	}
	id, epoch, _ := strings.Cut(string(value), "/")
	return fmt.Errorf("the store in %s was filled as agent %s, epoch %s, and this agent joined as %s, epoch %d: restore the old identity to send what the store still holds, or move the store away to start anew without it",
		filepath.Join(a.cfg.DataDir, "store"), id, epoch, a.id.ID, a.id.Epoch)
}

// keepOwner writes whose store this is, once.
func (a *Agent) keepOwner() error {
	value, err := a.store.Get(ownerKey)
	if err != nil || value != nil {
		return err
	}
	return a.store.Commit(&checkpoint.Batch{Puts: []checkpoint.Entry{{Key: ownerKey, Value: []byte(a.owner())}}})
}
