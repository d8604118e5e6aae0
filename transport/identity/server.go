package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"sync"
	"time"
)

// Server is the identity of a cloud node: a certificate of the CA, issued when it
// is first asked for and again before it expires.
type Server struct {
	ca    *CA
	names []string
	now   func() time.Time

	mu     sync.Mutex
	cert   *tls.Certificate // guarded by mu
	expiry time.Time        // guarded by mu
}

// ServerName is in every node's certificate: agents trust the CA, which issues
// certificates with it to cloud nodes alone, whatever address they reach it by.
const ServerName = "cloud.leat.internal"

// NewServer makes the identity of a node that is also reached by the given
// names and IP addresses. now nil means time.Now.
func NewServer(ca *CA, names []string, now func() time.Time) *Server {
	if now == nil {
		now = time.Now
	}
	return &Server{ca: ca, names: names, now: now}
}

// CA is the CA that the node trusts and, for now, issues from.
func (s *Server) CA() *CA { return s.ca }

// Certificate is the current certificate, with the CA's behind it.
func (s *Server) Certificate() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.cert != nil && now.Before(s.expiry.Add(-ServerLife/3)) && now.After(s.cert.Leaf.NotBefore) {
		return s.cert, nil
	}
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: ServerName, Organization: []string{"Leat"}},
		DNSNames:    []string{ServerName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range s.names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if n != ServerName {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	leaf, err := s.ca.issue(template, key.Public(), now, ServerLife)
	if err != nil {
		return nil, fmt.Errorf("node certificate: %w", err)
	}
	s.cert = &tls.Certificate{Certificate: [][]byte{leaf.Raw, s.ca.cert.Raw}, PrivateKey: key, Leaf: leaf}
	s.expiry = leaf.NotAfter
	return s.cert, nil
}

// ResetKey is the secret from which QUIC's stateless reset tokens are derived:
// the same after a restart of the node.
func (s *Server) ResetKey() (key [32]byte) {
	secret, err := s.ca.key.Bytes()
	if err != nil {
		panic("BUG: the CA's key has no bytes: " + err.Error())
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("leat stateless reset"))
	copy(key[:], mac.Sum(nil))
	return key
}
