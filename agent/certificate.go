package agent

import (
	"context"
	"path/filepath"
	"time"
)

// renewCheck is how often it is asked whether the certificate should be renewed.
const renewCheck = time.Minute

// keepCertificate renews the agent's certificate in good time.
func (a *Agent) keepCertificate(ctx context.Context) error {
	tick := time.NewTicker(renewCheck)
	defer tick.Stop()
	for {
		if err := a.renewDue(ctx); err != nil && ctx.Err() == nil {
			a.cfg.Log.Warn("the certificate was not renewed; trying again", "error", err, "retry_in", renewCheck)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// renewDue renews the certificate if it is time to and there is a session.
func (a *Agent) renewDue(ctx context.Context) error {
	at, err := a.client.Identity().RenewAt()
	if err != nil || a.cfg.Clock().Before(at) || !a.client.Link().Connected {
		return err
	}
	fresh, err := a.client.Renew(ctx)
	if err != nil {
		return err
	}
	// Where this fails the old one is used after a restart, and renewed again.
	if err := fresh.Save(a.identityDir()); err != nil {
		return err
	}
	a.cfg.Log.Info("the certificate was renewed", "agent", fresh.ID)
	return nil
}

func (a *Agent) identityDir() string { return filepath.Join(a.cfg.DataDir, "identity") }
