package identity

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// MaxAgentID is the longest agent id.
const MaxAgentID = 64

const agentURI = "agent:"

// Agent is the identity of one agent: its certificate with key, and the CA
// that it trusts. It is not changed once made.
type Agent struct {
	ID    string
	Epoch uint64   // of its store
	Addrs []string // cloud nodes, host:port

	Chain [][]byte // its certificate, DER
	Key   *ecdsa.PrivateKey
	CA    *x509.Certificate
}

// CheckAgentID says what is wrong with an agent id, or nil: 1 to MaxAgentID of a-z, A-Z, 0-9, dot, dash and underscore, not
// beginning with dot or dash.
func CheckAgentID(id string) error {
	if id == "" || len(id) > MaxAgentID {
		return fmt.Errorf("%w %q: it must have 1 to %d characters", ErrAgentID, id, MaxAgentID)
	}
	for i, r := range id {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || i > 0 && (r == '.' || r == '-')
		if !ok {
			return fmt.Errorf("%w %q: %q is not allowed there", ErrAgentID, id, r)
		}
	}
	return nil
}

// AgentID reads the agent id out of a certificate.
func AgentID(c *x509.Certificate) (string, error) {
	if len(c.URIs) != 1 || c.URIs[0].Scheme != "leat" {
		return "", fmt.Errorf("%w: the certificate has none", ErrAgentID)
	}
	id, ok := strings.CutPrefix(c.URIs[0].Opaque, agentURI)
	if !ok {
		return "", fmt.Errorf("%w: the certificate has none", ErrAgentID)
	}
	return id, CheckAgentID(id)
}

// Serial is a certificate's serial number in hexadecimal, as deny lists hold it.
func Serial(c *x509.Certificate) string { return hex.EncodeToString(c.SerialNumber.Bytes()) }

// NewCSR makes the certificate request (PKCS #10, DER) for a key. It carries no
// name: the cloud node gives it.
func NewCSR(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "leat-agent"}}, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	return der, nil
}

// IssueAgent issues the certificate of an agent for the key that the request
// proves to be held. Nothing else of the request counts. life 0 means AgentLife.
func (c *CA) IssueAgent(csr []byte, id string, now time.Time, life time.Duration) (*x509.Certificate, error) {
	if err := CheckAgentID(id); err != nil {
		return nil, err
	}
	if life == 0 {
		life = AgentLife
	}
	if len(csr) > 8<<10 {
		return nil, fmt.Errorf("%w: %d bytes long", ErrCSR, len(csr))
	}
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCSR, err)
	}
	if err := req.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCSR, err)
	}
	key, ok := req.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Params().BitSize != 256 {
		return nil, fmt.Errorf("%w: its key is not ECDSA P-256", ErrCSR)
	}
	return c.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: id, Organization: []string{"Leat"}},
		URIs:        []*url.URL{{Scheme: "leat", Opaque: agentURI + id}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key, now, life)
}

// agentJSON is the file agent.json.
type agentJSON struct {
	ID    string   `json:"id"`
	Epoch uint64   `json:"epoch"`
	Addrs []string `json:"addrs"`
}

// The file that makes a directory a whole identity holds all of it, so that
// a renewal replaces key and certificate in one step.
const agentFile = "agent.pem"

// Save writes the identity to a directory, mode 0600, whole or not at all.
func (a *Agent) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	meta, err := json.Marshal(agentJSON{a.ID, a.Epoch, a.Addrs})
	if err != nil {
		panic("BUG: identity does not encode: " + err.Error())
	}
	keyPEM, err := marshalKey(a.Key)
	if err != nil {
		return err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: blockMeta, Bytes: meta})
	data = append(data, keyPEM...)
	for _, der := range a.Chain {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: blockCert, Bytes: der})...)
	}
	data = append(data, pem.EncodeToMemory(&pem.Block{Type: blockCA, Bytes: a.CA.Raw})...)
	return writeFile(dir, agentFile, data, 0o600)
}

const (
	blockMeta = "LEAT AGENT"
	blockKey  = "PRIVATE KEY"
	blockCert = "CERTIFICATE"
	blockCA   = "LEAT CA CERTIFICATE"
)

// LoadAgent reads the identity of a directory; ErrNoIdentity where there is none.
func LoadAgent(dir string) (*Agent, error) {
	path := filepath.Join(dir, agentFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoIdentity)
	}
	if err != nil {
		return nil, fmt.Errorf("load identity: %w", err)
	}
	a, err := parseAgent(data)
	if err != nil {
		return nil, fmt.Errorf("load identity %s: %w; remove the file and join again with a token", path, err)
	}
	return a, nil
}

func parseAgent(data []byte) (*Agent, error) {
	a := &Agent{}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		var err error
		switch block.Type {
		case blockMeta:
			var m agentJSON
			err = json.Unmarshal(block.Bytes, &m)
			a.ID, a.Epoch, a.Addrs = m.ID, m.Epoch, m.Addrs
		case blockKey:
			a.Key, err = parseKeyPEM(pem.EncodeToMemory(block))
		case blockCert:
			a.Chain = append(a.Chain, block.Bytes)
		case blockCA:
			a.CA, err = x509.ParseCertificate(block.Bytes)
		}
		if err != nil {
			return nil, err
		}
	}
	return a, a.Check()
}

// Check says whether the parts belong together: the key, the certificate of the
// agent's id, issued by the CA.
func (a *Agent) Check() error {
	if a.Key == nil || a.CA == nil || len(a.Chain) == 0 {
		return errors.New("agent identity: a part is missing")
	}
	leaf, err := a.Leaf()
	if err != nil {
		return fmt.Errorf("agent identity: %w", err)
	}
	id, err := VerifyAgentChain(a.CA, []*x509.Certificate{leaf})
	if err != nil {
		return fmt.Errorf("agent identity: %w", err)
	}
	if id != a.ID {
		return fmt.Errorf("agent identity: the certificate names agent %q, the file %q", id, a.ID)
	}
	if !a.Key.PublicKey.Equal(leaf.PublicKey) {
		return errors.New("agent identity: certificate and key do not belong together")
	}
	return nil
}

// Leaf is the agent's certificate.
func (a *Agent) Leaf() (*x509.Certificate, error) {
	if len(a.Chain) == 0 {
		return nil, errors.New("no certificate")
	}
	return x509.ParseCertificate(a.Chain[0])
}

// TLS is the certificate in the form that crypto/tls takes.
func (a *Agent) TLS() tls.Certificate {
	return tls.Certificate{Certificate: a.Chain, PrivateKey: a.Key}
}

// RenewAt is when the certificate should be renewed: when two thirds of its
// life are over.
func (a *Agent) RenewAt() (time.Time, error) {
	leaf, err := a.Leaf()
	if err != nil {
		return time.Time{}, err
	}
	return leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) * 2 / 3), nil
}
