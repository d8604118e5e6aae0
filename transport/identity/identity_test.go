package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func testAgent(t testing.TB, ca *CA, id string) *Agent {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(NewKey())
	cert := must[*x509.Certificate](t)(ca.IssueAgent(must[[]byte](t)(NewCSR(key)), id, noon, 0))
	return &Agent{ID: id, Epoch: 3, Addrs: []string{"a:1", "b:2"}, Chain: [][]byte{cert.Raw}, Key: key, CA: ca.Certificate()}
}

func TestOpenCA(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	ca := must[*CA](t)(OpenCA(dir, noon))
	again := must[*CA](t)(OpenCA(dir, noon.Add(time.Hour)))
	if ca.Pin() != again.Pin() {
		t.Error("a second start made another CA")
	}
	info, err := os.Stat(filepath.Join(dir, caKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	c := ca.Certificate()
	if !c.IsCA || c.NotAfter.Sub(noon) != CALife {
		t.Errorf("CA %v until %s", c.IsCA, c.NotAfter)
	}
	// A crash between the two files is a first start.
	if err := os.Remove(filepath.Join(dir, caCertFile)); err != nil {
		t.Fatal(err)
	}
	if third := must[*CA](t)(OpenCA(dir, noon)); third.Pin() == ca.Pin() {
		t.Error("no new CA was made")
	}
	// Files that do not belong together are told.
	other := must[*CA](t)(NewCA(noon))
	certPEM, _, err := other.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, caCertFile), certPEM, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCA(dir, noon); err == nil || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("mixed files: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, caKeyFile), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCA(dir, noon); err == nil {
		t.Error("rubbish was taken as a key")
	}
	// A lost key does not silently make all agents strangers.
	if err := os.Remove(filepath.Join(dir, caKeyFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCA(dir, noon); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("a lost key: %v", err)
	}
}

func TestAgentCertificate(t *testing.T) {
	ca := must[*CA](t)(NewCA(noon))
	a := testAgent(t, ca, "gw-1.north_2")
	leaf := must[*x509.Certificate](t)(a.Leaf())
	if id := must[string](t)(VerifyAgentChain(ca.Certificate(), []*x509.Certificate{leaf})); id != "gw-1.north_2" {
		t.Errorf("agent id is %q", id)
	}
	if leaf.URIs[0].String() != "leat:agent:gw-1.north_2" || leaf.NotAfter.Sub(noon) != AgentLife || leaf.IsCA {
		t.Errorf("certificate %v until %s", leaf.URIs, leaf.NotAfter)
	}
	if err := VerifyServer([]*x509.Certificate{leaf, ca.Certificate()}, ca.Pin(), noon); !errors.Is(err, ErrPin) {
		t.Errorf("an agent passes for a node: %v", err)
	}
	other := must[*CA](t)(NewCA(noon))
	if _, err := VerifyAgentChain(other.Certificate(), []*x509.Certificate{leaf}); err == nil {
		t.Error("a certificate of another CA was taken")
	}
	if _, err := VerifyAgentChain(ca.Certificate(), nil); err == nil {
		t.Error("no certificate was taken")
	}
	if at := must[time.Time](t)(a.RenewAt()); at.Before(noon.Add(19*24*time.Hour)) || at.After(noon.Add(21*24*time.Hour)) {
		t.Errorf("to be renewed at %s", at)
	}
}

func TestServerCertificate(t *testing.T) {
	ca := must[*CA](t)(NewCA(noon))
	now := noon
	s := NewServer(ca, []string{"node.example", "10.0.0.1"}, func() time.Time { return now })
	first, err := s.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyServer([]*x509.Certificate{first.Leaf, ca.Certificate()}, ca.Pin(), now); err != nil {
		t.Error(err)
	}
	if first.Leaf.VerifyHostname("node.example") != nil || first.Leaf.VerifyHostname("10.0.0.1") != nil {
		t.Errorf("names are %v and %v", first.Leaf.DNSNames, first.Leaf.IPAddresses)
	}
	if _, err := VerifyAgentChain(ca.Certificate(), []*x509.Certificate{first.Leaf}); err == nil {
		t.Error("a node passes for an agent")
	}
	now = noon.Add(ServerLife / 2)
	if second, err := s.Certificate(); err != nil || second != first {
		t.Errorf("issued anew after half its life: %v", err)
	}
	for _, later := range []time.Duration{ServerLife * 3 / 4, 3 * ServerLife} { // also after a jump of the clock
		now = noon.Add(later)
		c, err := s.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckTime(c.Leaf, now); err != nil || c == first {
			t.Errorf("after %s: %v", later, err)
		}
	}
	if s.ResetKey() != NewServer(ca, nil, nil).ResetKey() {
		t.Error("the reset key changes with a restart")
	}
}

func TestIssueRefuses(t *testing.T) {
	ca := must[*CA](t)(NewCA(noon))
	good := must[[]byte](t)(NewCSR(must[*ecdsa.PrivateKey](t)(NewKey())))
	request := func(key any) []byte {
		return must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tampered := append([]byte(nil), good...)
	tampered[len(tampered)-3] ^= 1
	for name, csr := range map[string][]byte{
		"empty": nil, "rubbish": []byte("rubbish"), "cut": good[:len(good)/2], "tampered": tampered, "long": make([]byte, 9<<10),
		"ed25519": request(ed), "p384": request(must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))),
		"rsa": request(must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))),
	} {
		if _, err := ca.IssueAgent(csr, "gw", noon, 0); !errors.Is(err, ErrCSR) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	for _, id := range []string{"", "-x", ".x", "a b", "a/b", "ä", "a\n", strings.Repeat("x", MaxAgentID+1)} {
		if _, err := ca.IssueAgent(good, id, noon, 0); !errors.Is(err, ErrAgentID) {
			t.Errorf("id %q: error is %v", id, err)
		}
	}
	// What a request asks for beside its key does not count.
	key := must[*ecdsa.PrivateKey](t)(NewKey())
	greedy := must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "admin"}, DNSNames: []string{ServerName}, URIs: []*url.URL{{Scheme: "leat", Opaque: "agent:other"}}}, key))
	cert := must[*x509.Certificate](t)(ca.IssueAgent(greedy, "gw", noon, 0))
	if id := must[string](t)(AgentID(cert)); id != "gw" || len(cert.DNSNames) > 0 || cert.Subject.CommonName != "gw" {
		t.Errorf("a greedy request got %q, %v, %v", id, cert.DNSNames, cert.Subject)
	}
}

func TestCheckTime(t *testing.T) {
	ca := must[*CA](t)(NewCA(noon))
	leaf := must[*x509.Certificate](t)(testAgent(t, ca, "gw").Leaf())
	for _, tc := range []struct {
		now  time.Time
		want error
	}{
		{noon, nil}, {noon.Add(-30 * time.Minute), nil}, {noon.Add(AgentLife - time.Minute), nil},
		{noon.Add(AgentLife + time.Minute), ErrCertificateExpired}, {noon.Add(-2 * time.Hour), ErrClock},
		{time.Unix(0, 0), ErrClock}, {time.Date(2024, 12, 31, 23, 0, 0, 0, time.UTC), ErrClock},
	} {
		if err := CheckTime(leaf, tc.now); !errors.Is(err, tc.want) {
			t.Errorf("at %s: error is %v, not %v", tc.now, err, tc.want)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	ca := must[*CA](t)(NewCA(noon))
	dir := filepath.Join(t.TempDir(), "agent")
	if _, err := LoadAgent(dir); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("an empty directory: %v", err)
	}
	a := testAgent(t, ca, "gw")
	for range 2 { // the second replaces the first
		if err := a.Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	b := must[*Agent](t)(LoadAgent(dir))
	if b.ID != a.ID || b.Epoch != 3 || strings.Join(b.Addrs, ",") != "a:1,b:2" || !b.Key.Equal(a.Key) || PinOf(b.CA) != ca.Pin() {
		t.Errorf("came back as %+v", b)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("files left: %v, %v", files, err)
	}
	info, err := os.Stat(filepath.Join(dir, agentFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	data, err := os.ReadFile(filepath.Join(dir, agentFile))
	if err != nil {
		t.Fatal(err)
	}
	other := testAgent(t, ca, "gw")
	mixed := *a
	mixed.Key = other.Key
	if err := mixed.Check(); err == nil {
		t.Error("a foreign key was taken")
	}
	mixed = *a
	mixed.ID = "other"
	if err := mixed.Check(); err == nil {
		t.Error("another id was taken")
	}
	for _, bad := range [][]byte{nil, data[:len(data)/2], []byte(strings.Replace(string(data), "LEAT AGENT", "LEAT OTHER", 2))} {
		if err := os.WriteFile(filepath.Join(dir, agentFile), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadAgent(dir); err == nil || !strings.Contains(err.Error(), "join again") {
			t.Errorf("a broken file: %v", err)
		}
	}
}
