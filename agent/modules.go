package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
)

// module gives a function module's bytes.
func (a *Agent) module(ctx context.Context, m *plan.Module) ([]byte, error) {
	return a.content(ctx, "modules", ".wasm", m.Sha256)
}

// content gives what a plan names by its hash: from disk, or fetched from the cloud and kept.
func (a *Agent) content(ctx context.Context, folder, suffix string, hash []byte) ([]byte, error) {
	if len(hash) != sha256.Size {
		return nil, fmt.Errorf("the plan names no hash")
	}
	dir := filepath.Join(a.cfg.DataDir, folder)
	name := filepath.Join(dir, hex.EncodeToString(hash)+suffix)
	if b, err := os.ReadFile(name); err == nil && sha256.Sum256(b) == [32]byte(hash) {
		return b, nil
	}
	b, err := a.client.Fetch(ctx, [32]byte(hash))
	if err != nil {
		return nil, fmt.Errorf("fetch from the cloud: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// A torn file is found by its hash at the next start and fetched again.
	return b, os.WriteFile(name, b, 0o600)
}

// lookups gives plans their reference tables.
type lookups struct {
	ctx   context.Context
	agent *Agent
}

// Lookup is engine.Lookups.
func (l lookups) Lookup(entry *plan.Lookup) (*lookup.Table, error) {
	b, err := l.agent.content(l.ctx, "lookups", ".table", entry.GetSha256())
	if err != nil {
		return nil, fmt.Errorf("reference table %s: %w", entry.GetName(), err)
	}
	return lookup.ParseTable(b)
}
