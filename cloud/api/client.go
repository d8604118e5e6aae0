package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/engine/compile"
)

// Client calls a node's API.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// Errors of a Client that it did not get from a node.
var (
	ErrAddress     = errors.New("not the address of an API") // not host:port or a URL
	ErrUnreachable = errors.New("no cloud node answers")
)

// dialTime is how long a node may take to accept a connection.
const dialTime = 5 * time.Second

// NewClient returns a client of the node at addr (host:port or a URL).
func NewClient(addr, token string) (*Client, error) {
	base := strings.TrimRight(addr, "/")
	if !strings.Contains(addr, "://") {
		base = "http://" + base
	}
	if u, err := url.Parse(base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is %w: write host:port or a URL such as https://leat.example.org", addr, ErrAddress)
	}
	dialer := &net.Dialer{Timeout: dialTime}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTime}
	return &Client{base: base, token: token, http: &http.Client{Transport: t}}, nil
}

// Status asks how the node fares.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return call[Status](ctx, c, "GET", "/v1/status", nil)
}

// Query runs a statement.
func (c *Client) Query(ctx context.Context, q Query) (*Result, error) {
	return call[Result](ctx, c, "POST", "/v1/query", q)
}

// Apply applies a pipeline file; the modules and the files of reference tables that it names are sent first.
func (c *Client) Apply(ctx context.Context, fileName, file string, modules, lookups map[string][]byte) (*Applied, error) {
	a := control.Apply{FileName: fileName, File: file}
	var err error
	if a.Modules, err = c.put(ctx, "modules", "application/wasm", modules); err != nil {
		return nil, err
	}
	if a.Lookups, err = c.put(ctx, "lookups", "application/octet-stream", lookups); err != nil {
		return nil, err
	}
	return call[Applied](ctx, c, "POST", "/v1/pipelines", a)
}

// put sends contents and gives their SHA-256 by reference.
func (c *Client) put(ctx context.Context, kind, contentType string, contents map[string][]byte) (map[string]string, error) {
	sums := map[string]string{}
	for ref, b := range contents {
		sum := sha256.Sum256(b)
		name := hex.EncodeToString(sum[:])
		if _, err := send[struct{}](ctx, c, "PUT", "/v1/"+kind+"/"+name, contentType, bytes.NewReader(b)); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", kind, ref, err)
		}
		sums[ref] = name
	}
	return sums, nil
}

// Pipelines lists all pipelines.
func (c *Client) Pipelines(ctx context.Context) ([]*control.Pipeline, error) {
	list, err := call[[]*control.Pipeline](ctx, c, "GET", "/v1/pipelines", nil)
	if err != nil {
		return nil, err
	}
	return *list, nil
}

// Pipeline gives one pipeline.
func (c *Client) Pipeline(ctx context.Context, name string) (*control.Pipeline, error) {
	return call[control.Pipeline](ctx, c, "GET", "/v1/pipelines/"+url.PathEscape(name), nil)
}

// DeletePipeline deletes a pipeline.
func (c *Client) DeletePipeline(ctx context.Context, name string) error {
	_, err := call[struct{}](ctx, c, "DELETE", "/v1/pipelines/"+url.PathEscape(name), nil)
	return err
}

// Token mints a join token.
func (c *Client) Token(ctx context.Context, r TokenRequest) (*Token, error) {
	return call[Token](ctx, c, "POST", "/v1/fleet/tokens", r)
}

// Agents lists the fleet.
func (c *Client) Agents(ctx context.Context) ([]Agent, error) {
	list, err := call[[]Agent](ctx, c, "GET", "/v1/fleet/agents", nil)
	if err != nil {
		return nil, err
	}
	return *list, nil
}

func call[T any](ctx context.Context, c *Client, method, path string, body any) (*T, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(b)
	}
	return send[T](ctx, c, method, path, "application/json", r)
}

func send[T any](ctx context.Context, c *Client, method, path, kind string, body io.Reader) (_ *T, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	d := json.NewDecoder(resp.Body)
	d.UseNumber()
	if resp.StatusCode != http.StatusOK {
		return nil, c.problem(d, resp.Status)
	}
	v := new(T)
	if err := d.Decode(v); err != nil {
		return nil, fmt.Errorf("answer of %s: %w", c.base, err)
	}
	return v, nil
}

// explain says why no node answered and what to do.
func (c *Client) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if netErr := new(net.OpError); errors.As(err, &netErr) && netErr.Op == "dial" {
		return fmt.Errorf("%w at %s (%w): start one with `leat up` or `leat-cloud`, or name its address with --api or LEAT_API", ErrUnreachable, c.base, netErr.Err)
	}
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("%w at %s, but something else does (%w): name the API's address with --api or LEAT_API", ErrUnreachable, c.base, err)
}

// problem turns an answer that is not a success into an error; mistakes in a
// file come back as compile.Mistakes.
func (c *Client) problem(d *json.Decoder, status string) error {
	var p Problem
	if err := d.Decode(&p); err != nil || p.Text == "" {
		return fmt.Errorf("%w at %s, but something else does (it says %s): name the API's address with --api or LEAT_API", ErrUnreachable, c.base, status)
	}
	if len(p.Mistakes) == 0 {
		return errors.New(p.Text)
	}
	var out compile.Mistakes
	for _, m := range p.Mistakes {
		out = append(out, compile.Mistake{File: m.File, Line: m.Line, Column: m.Column, What: m.What, Expected: m.Expected})
	}
	return out
}
