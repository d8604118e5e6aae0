package identity

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// tokenPrefix marks a token and its version.
const tokenPrefix = "leat1."

const (
	secretBytes   = 20
	tokenIDBytes  = 6
	maxTokenChars = 4096
	maxAddrs      = 16
)

// Token is what a join token says.
type Token struct {
	ID     string            // names the cloud's record
	Secret [secretBytes]byte // proves that the record's token is held
	Pin    Pin               // of the CA
	Addrs  []string          // host:port of cloud nodes
}

// TokenRecord is what the cloud keeps of a token. It is stored as JSON.
type TokenRecord struct {
	ID           string            `json:"id"`
	SecretSHA256 []byte            `json:"secret_sha256"`
	Expires      time.Time         `json:"expires"`
	UsesLeft     int               `json:"uses_left"`
	Labels       map[string]string `json:"labels,omitempty"`
	Name         string            `json:"name,omitempty"` // the agent's name; empty = as the agent wishes
}

// TokenOptions say what a token allows.
type TokenOptions struct {
	Addrs  []string          // host:port of cloud nodes; at least one
	Pin    Pin               // of the CA
	Life   time.Duration     // default 1 h
	Uses   int               // default 1
	Labels map[string]string // given to every agent that joins with it
	Name   string            // default: as the agent wishes
}

// tokenJSON is the form inside the string.
type tokenJSON struct {
	ID     string   `json:"i"`
	Secret []byte   `json:"s"`
	Pin    []byte   `json:"p"`
	Addrs  []string `json:"a"`
}

// MintToken makes a token and the record by which it is redeemed.
func MintToken(o TokenOptions, now time.Time) (token string, record TokenRecord, err error) {
	if o.Life == 0 {
		o.Life = time.Hour
	}
	if o.Uses == 0 {
		o.Uses = 1
	}
	if err := checkAddrs(o.Addrs); err != nil {
		return "", TokenRecord{}, err
	}
	if o.Life < 0 || o.Uses < 0 {
		return "", TokenRecord{}, fmt.Errorf("token: life %s and uses %d must be above 0", o.Life, o.Uses)
	}
	t := Token{Pin: o.Pin, Addrs: o.Addrs}
	var id [tokenIDBytes]byte
	_, _ = rand.Read(id[:]) // never fails
	_, _ = rand.Read(t.Secret[:])
	t.ID = hex.EncodeToString(id[:])
	sum := sha256.Sum256(t.Secret[:])
	return t.String(), TokenRecord{ID: t.ID, SecretSHA256: sum[:], Expires: now.Add(o.Life).UTC(), UsesLeft: o.Uses, Labels: o.Labels, Name: o.Name}, nil
}

// String is the token as users pass it on. It holds the secret.
func (t Token) String() string {
	text, err := json.Marshal(tokenJSON{t.ID, t.Secret[:], t.Pin[:], t.Addrs})
	if err != nil {
		panic("BUG: token does not encode: " + err.Error())
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(text)
}

// ParseToken reads a token. Blanks around it and line breaks within, as
// terminals make them, are forgiven.
func ParseToken(s string) (Token, error) {
	s = strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == '\r' || r == '\t' {
			return -1
		}
		return r
	}, s)
	if len(s) > maxTokenChars {
		return Token{}, fmt.Errorf("%w: %d characters long", ErrTokenFormat, len(s))
	}
	body, ok := strings.CutPrefix(s, tokenPrefix)
	if !ok {
		return Token{}, fmt.Errorf("%w: it does not begin with %q", ErrTokenFormat, tokenPrefix)
	}
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return Token{}, fmt.Errorf("%w: part of it is missing or changed", ErrTokenFormat)
	}
	var j tokenJSON
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&j); err != nil || dec.More() {
		return Token{}, fmt.Errorf("%w: part of it is missing or changed", ErrTokenFormat)
	}
	t := Token{ID: j.ID, Addrs: j.Addrs}
	if len(j.Secret) != len(t.Secret) || len(j.Pin) != len(t.Pin) || len(j.ID) != 2*tokenIDBytes {
		return Token{}, fmt.Errorf("%w: a field has the wrong length", ErrTokenFormat)
	}
	if _, err := hex.DecodeString(j.ID); err != nil {
		return Token{}, fmt.Errorf("%w: its id is not hexadecimal", ErrTokenFormat)
	}
	if err := checkAddrs(j.Addrs); err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrTokenFormat, err)
	}
	copy(t.Secret[:], j.Secret)
	copy(t.Pin[:], j.Pin)
	return t, nil
}

func checkAddrs(addrs []string) error {
	if len(addrs) == 0 || len(addrs) > maxAddrs {
		return fmt.Errorf("token: %d addresses, between 1 and %d are needed", len(addrs), maxAddrs)
	}
	for _, a := range addrs {
		if _, _, err := net.SplitHostPort(a); err != nil || len(a) > 256 {
			return fmt.Errorf("token: address %q is not host:port", a)
		}
	}
	return nil
}

// VerifyToken judges t by its record without using it up.
func VerifyToken(r TokenRecord, t Token, now time.Time) error {
	sum := sha256.Sum256(t.Secret[:])
	switch {
	case r.ID != t.ID || subtle.ConstantTimeCompare(sum[:], r.SecretSHA256) != 1:
		return ErrTokenUnknown
	case !now.Before(r.Expires):
		return fmt.Errorf("%w (it was good until %s)", ErrTokenExpired, r.Expires.Format(time.RFC3339))
	case r.UsesLeft <= 0:
		return ErrTokenUsed
	}
	return nil
}

// Redeem verifies t and returns the record with one use less, to be stored by
// compare-and-set before the certificate is handed out.
func (r TokenRecord) Redeem(t Token, now time.Time) (TokenRecord, error) {
	if err := VerifyToken(r, t, now); err != nil {
		return TokenRecord{}, err
	}
	r.UsesLeft--
	r.SecretSHA256 = slices.Clone(r.SecretSHA256)
	return r, nil
}
