package identity

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// clockFloor is a time before which no Leat ran: a clock behind it is not set.
var clockFloor = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// ClockSet tells whether a clock that shows now can be right.
func ClockSet(now time.Time) bool { return !now.Before(clockFloor) }

// FindPinned gives the certificate of the chain that has the pin, or nil.
func FindPinned(chain []*x509.Certificate, pin Pin) *x509.Certificate {
	for _, c := range chain {
		if PinOf(c) == pin {
			return c
		}
	}
	return nil
}

// VerifyServer checks the certificates that a node showed: issued by the CA
// with the pin, for a node, valid at now.
func VerifyServer(chain []*x509.Certificate, pin Pin, now time.Time) error {
	if len(chain) == 0 {
		return fmt.Errorf("%w: it showed no certificate", ErrPin)
	}
	ca := FindPinned(chain, pin)
	if ca == nil {
		return fmt.Errorf("%w (pin %.8s…): this is another installation, or its CA was made anew; join again with a new token if that is meant", ErrPin, pin)
	}
	if err := verifyIssuer(ca, chain[0], x509.ExtKeyUsageServerAuth, ServerName); err != nil {
		return fmt.Errorf("%w: %w", ErrPin, err)
	}
	return CheckTime(chain[0], now)
}

// VerifyAgentChain checks that the certificate was issued by the CA to an
// agent, and gives the agent's id. Its time is not looked at: CheckTime does.
func VerifyAgentChain(ca *x509.Certificate, chain []*x509.Certificate) (id string, err error) {
	if len(chain) == 0 {
		return "", errors.New("no certificate")
	}
	if err := verifyIssuer(ca, chain[0], x509.ExtKeyUsageClientAuth, ""); err != nil {
		return "", fmt.Errorf("agent certificate: %w", err)
	}
	return AgentID(chain[0])
}

// verifyIssuer checks a certificate at a time at which it and the CA are
// valid, so that a wrong clock is told from a wrong issuer.
func verifyIssuer(ca, leaf *x509.Certificate, usage x509.ExtKeyUsage, name string) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	at := leaf.NotBefore
	if at.Before(ca.NotBefore) {
		at = ca.NotBefore
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

// CheckTime says whether a certificate is valid at now; where not, it tells a
// clock that is not set from a certificate that expired.
func CheckTime(c *x509.Certificate, now time.Time) error {
	switch {
	case !ClockSet(now):
		return fmt.Errorf("%w: it shows %s; set it (NTP), certificates cannot be judged before", ErrClock, now.UTC().Format(time.DateOnly))
	case now.Before(c.NotBefore):
		return fmt.Errorf("%w: it shows %s, but the certificate of %q is valid from %s; set the clock (NTP)",
			ErrClock, stamp(now), c.Subject.CommonName, stamp(c.NotBefore))
	case now.After(c.NotAfter):
		return fmt.Errorf("%w: that of %q was valid until %s and the clock shows %s; if the clock is right, join again with a new token",
			ErrCertificateExpired, c.Subject.CommonName, stamp(c.NotAfter), stamp(now))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
