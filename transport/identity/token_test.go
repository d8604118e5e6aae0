package identity

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func mint(t testing.TB, o TokenOptions) (string, TokenRecord) {
	t.Helper()
	if o.Addrs == nil {
		o.Addrs = []string{"node.example:7443", "[::1]:7443"}
	}
	o.Pin = Pin{1, 2, 3}
	s, r, err := MintToken(o, noon)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func TestToken(t *testing.T) {
	s, r := mint(t, TokenOptions{Labels: map[string]string{"role": "greenhouse"}})
	tok, err := ParseToken(s)
	if err != nil {
		t.Fatal(err)
	}
	if tok.ID != r.ID || tok.Pin != (Pin{1, 2, 3}) || strings.Join(tok.Addrs, " ") != "node.example:7443 [::1]:7443" || tok.String() != s {
		t.Errorf("came back as %+v", tok)
	}
	// As terminals wrap it.
	if wrapped, err := ParseToken("  " + s[:40] + "\n" + s[40:] + "\r\n"); err != nil || wrapped.ID != tok.ID {
		t.Errorf("a wrapped token: %v", err)
	}
	// The record lives as JSON and does not hold the secret.
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back TokenRecord
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("%s came back as %+v, not %+v: %v", text, back, r, err)
	}
	if strings.Contains(string(text), string(tok.Secret[:])) {
		t.Error("the record holds the secret")
	}
}

func TestTokenIsUsedUpAndExpires(t *testing.T) {
	s, r := mint(t, TokenOptions{Uses: 2, Life: time.Hour})
	tok, err := ParseToken(s)
	if err != nil {
		t.Fatal(err)
	}
	last := noon.Add(time.Hour - time.Second)
	once, err := r.Redeem(tok, last)
	if err != nil || once.UsesLeft != 1 || r.UsesLeft != 2 {
		t.Fatalf("first use: %+v, %v", once, err)
	}
	twice, err := once.Redeem(tok, last)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := twice.Redeem(tok, last); !errors.Is(err, ErrTokenUsed) {
		t.Errorf("third use: %v", err)
	}
	if err := VerifyToken(r, tok, noon.Add(time.Hour)); !errors.Is(err, ErrTokenExpired) {
		t.Errorf("after an hour: %v", err)
	}
	wrong := tok
	wrong.Secret[0] ^= 1
	if err := VerifyToken(r, wrong, noon); !errors.Is(err, ErrTokenUnknown) {
		t.Errorf("a wrong secret: %v", err)
	}
	if err := VerifyToken(TokenRecord{}, tok, noon); !errors.Is(err, ErrTokenUnknown) {
		t.Errorf("no record: %v", err)
	}
	_, other := mint(t, TokenOptions{})
	if err := VerifyToken(other, tok, noon); !errors.Is(err, ErrTokenUnknown) {
		t.Errorf("another record: %v", err)
	}
}

func TestTokenRefuses(t *testing.T) {
	s, _ := mint(t, TokenOptions{})
	for name, bad := range map[string]string{
		"empty": "", "prefix": strings.Replace(s, "leat1.", "leat2.", 1), "cut": s[:len(s)-5], "changed": s[:20] + "!" + s[21:],
		"long": tokenPrefix + strings.Repeat("A", 5000), "no fields": tokenPrefix + "e30", "doubled": s + s,
	} {
		if _, err := ParseToken(bad); !errors.Is(err, ErrTokenFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, o := range map[string]TokenOptions{
		"no address": {}, "half an address": {Addrs: []string{"host"}}, "many": {Addrs: make([]string, 17)},
		"negative life": {Addrs: []string{"h:1"}, Life: -1}, "negative uses": {Addrs: []string{"h:1"}, Uses: -1},
	} {
		if _, _, err := MintToken(o, noon); err == nil {
			t.Errorf("%s was minted", name)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	s, _ := mint(f, TokenOptions{})
	f.Add(s)
	f.Add("leat1.e30")
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := ParseToken(s)
		if err != nil {
			if !errors.Is(err, ErrTokenFormat) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		again, err := ParseToken(tok.String())
		if err != nil || !reflect.DeepEqual(again, tok) {
			t.Fatalf("%+v became %+v: %v", tok, again, err)
		}
	})
}

// FuzzIssueAgent feeds rubbish to the parser of certificate requests.
func FuzzIssueAgent(f *testing.F) {
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
	f.Add(csr)
	f.Fuzz(func(t *testing.T, csr []byte) {
		cert, err := ca.IssueAgent(csr, "gw", noon, 0)
		if err != nil {
			return
		}
		if id, err := AgentID(cert); err != nil || id != "gw" || cert.IsCA {
			t.Fatalf("issued to %q (%v), CA %v", id, err, cert.IsCA)
		}
	})
}
