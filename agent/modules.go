package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/leatio/leat/engine/plan"
)

// module gives a module's bytes: from disk, or fetched from the cloud by hash and kept.
func (a *Agent) module(ctx context.Context, m *plan.Module) ([]byte, error) {
	if len(m.Sha256) != sha256.Size {
		return nil, fmt.Errorf("the plan names no hash")
	}
	dir := filepath.Join(a.cfg.DataDir, "modules")
	name := filepath.Join(dir, hex.EncodeToString(m.Sha256)+".wasm")
	if code, err := os.ReadFile(name); err == nil && sha256.Sum256(code) == [32]byte(m.Sha256) {
		return code, nil
	}
	code, err := a.client.Fetch(ctx, [32]byte(m.Sha256))
	if err != nil {
		return nil, fmt.Errorf("fetch from the cloud: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// A torn file is found by its hash at the next start and fetched again.
	if err := os.WriteFile(name, code, 0o600); err != nil {
		return nil, err
	}
	return code, nil
}
