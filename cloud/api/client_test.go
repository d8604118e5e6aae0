package api

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for addr, good := range map[string]bool{
		"127.0.0.1:4751": true, "host:1": true, "http://host:1/": true, "https://leat.example.org": true, "[::1]:4751": true,
		"": false, ":::": false, "ftp://host": false, "http://": false, "a b:1": false,
	} {
		if _, err := NewClient(addr, ""); (err == nil) != good || err != nil && !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

// deaf is a server that accepts connections and closes them.
func deaf(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

func TestNoNodeThere(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	tests := map[string]struct{ addr, want string }{
		"nothing listens":     {closed.Listener.Addr().String(), "connection refused): start one with `leat up` or `leat-cloud`, or name its address with --api or LEAT_API"},
		"not HTTP":            {deaf(t), "but something else does"},
		"another HTTP server": {other.Listener.Addr().String(), "but something else does (it says 404 Not Found): name the API's address with --api or LEAT_API"},
	}
	for name, tt := range tests {
		c, err := NewClient(tt.addr, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Status(t.Context())
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), tt.addr) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
