package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzParseCA feeds rubbish to the parser of the CA's files: what is taken can
// issue, and is the same once written and read again.
func FuzzParseCA(f *testing.F) {
	ca, err := NewCA(noon)
	if err != nil {
		f.Fatal(err)
	}
	certPEM, keyPEM, err := ca.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(certPEM, keyPEM)
	f.Add(keyPEM, certPEM)
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P521()} { // as another program may make
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		template := ca.Certificate()
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: template.SerialNumber, Subject: template.Subject, NotBefore: template.NotBefore, NotAfter: template.NotAfter,
			IsCA: true, BasicConstraintsValid: true, KeyUsage: template.KeyUsage,
		}, template, key.Public(), ca.key)
		if err != nil {
			f.Fatal(err)
		}
		text, err := marshalKey(key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), text)
	}
	f.Fuzz(func(t *testing.T, certPEM, keyPEM []byte) {
		ca, err := ParseCA(certPEM, keyPEM)
		if err != nil {
			return
		}
		again, key, err := ca.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseCA(again, key)
		if err != nil || back.Pin() != ca.Pin() || !back.key.Equal(ca.key) {
			t.Fatalf("it became another CA: %v", err)
		}
		node := NewServer(ca, nil, func() time.Time { return noon })
		if node.ResetKey() == [32]byte{} {
			t.Fatal("no reset key")
		}
		if _, err := node.Certificate(); err != nil {
			t.Log(err) // its curve may not be able to sign
		}
	})
}

// FuzzVerify gives both sides a certificate that the other one showed: none
// but those that the CA issued pass, each for its own purpose. The inputs are
// changes to certificates, since keys differ from run to run.
func FuzzVerify(f *testing.F) {
	ca, err := NewCA(noon)
	if err != nil {
		f.Fatal(err)
	}
	key, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	csr, err := NewCSR(key)
	if err != nil {
		f.Fatal(err)
	}
	agent, err := ca.IssueAgent(csr, "gw-1", noon, 0)
	if err != nil {
		f.Fatal(err)
	}
	server, err := NewServer(ca, []string{"::1", "cloud.example"}, func() time.Time { return noon }).Certificate()
	if err != nil {
		f.Fatal(err)
	}
	node := server.Leaf
	genuine := [][]byte{agent.Raw, node.Raw, ca.Certificate().Raw}
	for kind := range genuine {
		f.Add(uint8(kind), uint16(0), uint8(0), []byte{})
	}
	for _, from := range []string{"gw-1", ServerName, "Leat"} {
		for kind, der := range genuine {
			if at := bytes.Index(der, []byte(from)); at >= 0 {
				f.Add(uint8(kind), uint16(at), uint8(len(from)), []byte("gw-2"))
				f.Add(uint8(kind), uint16(at), uint8(1), []byte{0})
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, at uint16, cut uint8, patch []byte) {
		from := genuine[int(kind)%len(genuine)]
		at = min(at, uint16(len(from)))
		end := min(int(at)+int(cut), len(from))
		der := append(append(bytes.Clone(from[:at]), patch...), from[end:]...)
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		id, err := VerifyAgentChain(ca.Certificate(), []*x509.Certificate{c})
		if err == nil && (id != "gw-1" || !bytes.Equal(c.RawTBSCertificate, agent.RawTBSCertificate)) {
			t.Fatalf("passes for agent %q: %x", id, der)
		}
		err = VerifyServer([]*x509.Certificate{c, ca.Certificate()}, ca.Pin(), noon)
		if err == nil && !bytes.Equal(c.RawTBSCertificate, node.RawTBSCertificate) {
			t.Fatalf("passes for a node: %x", der)
		}
		_, _ = AgentID(c) // whoever issued it
		_ = CheckTime(c, noon)
	})
}

// FuzzParseAgent feeds rubbish to the parser of the identity file: what is taken
// holds together.
func FuzzParseAgent(f *testing.F) {
	f.Add([]byte("-----BEGIN LEAT AGENT-----\ne30=\n-----END LEAT AGENT-----\n"))
	ca, err := NewCA(noon)
	if err != nil {
		f.Fatal(err)
	}
	key, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	csr, err := NewCSR(key)
	if err != nil {
		f.Fatal(err)
	}
	cert, err := ca.IssueAgent(csr, "gw-1", noon, 0)
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	a := &Agent{ID: "gw-1", Epoch: 3, Addrs: []string{"a:1"}, Chain: [][]byte{cert.Raw, ca.Certificate().Raw}, Key: key, CA: ca.Certificate()}
	if err := a.Save(dir); err != nil {
		f.Fatal(err)
	}
	genuine, err := os.ReadFile(filepath.Join(dir, agentFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(genuine)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := parseAgent(data)
		if err != nil {
			return
		}
		leaf, err := a.Leaf()
		if err != nil || !a.Key.PublicKey.Equal(leaf.PublicKey) {
			t.Fatalf("an identity that does not hold together was taken: %v", err)
		}
		if id, err := VerifyAgentChain(a.CA, []*x509.Certificate{leaf}); err != nil || id != a.ID {
			t.Fatalf("agent %q has the certificate of %q: %v", a.ID, id, err)
		}
		if _, err := a.RenewAt(); err != nil || len(a.TLS().Certificate) == 0 {
			t.Fatalf("it cannot be used: %v", err)
		}
	})
}
