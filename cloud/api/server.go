package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/engine/compile"
)

// Bounds of request bodies.
const (
	maxBody   = 2 << 20
	maxModule = 32 << 20
)

// Handler serves the API of a node. Where token is not empty, every call must
// bear it; where it is, only requests that name a loopback host are
// served, so that a web page in a browser on this machine cannot reach it by another name.
func Handler(n Node, token string, log *slog.Logger) http.Handler {
	s := &server{n: n, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/pipelines", s.pipelines)
	mux.HandleFunc("POST /v1/pipelines", s.apply)
	mux.HandleFunc("GET /v1/pipelines/{name}", s.pipeline)
	mux.HandleFunc("DELETE /v1/pipelines/{name}", s.deletePipeline)
	mux.HandleFunc("PUT /v1/modules/{sha256}", s.putModule)
	mux.HandleFunc("PUT /v1/lookups/{sha256}", s.putLookup)
	mux.HandleFunc("POST /v1/query", s.query)
	mux.HandleFunc("POST /v1/fleet/tokens", s.token)
	mux.HandleFunc("GET /v1/fleet/agents", s.agents)
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, http.StatusNotFound, fmt.Errorf("there is no %s %s; docs/reference/api.md lists the calls", r.Method, r.URL.Path))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := admit(r, token); err != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.fail(w, http.StatusUnauthorized, err)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func admit(r *http.Request, token string) error {
	if token != "" {
		given, shown := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1:
			return nil
		case shown:
			return errors.New("the token is not the one that this node's API asks for (api_token in its config)")
		default:
			return errors.New("this node's API asks for a token: send Authorization: Bearer TOKEN (leat: --api-token or LEAT_API_TOKEN)")
		}
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("the API without a token answers to loopback names only, not to %q", r.Host)
	}
	if r.Header.Get("Origin") != "" {
		return errors.New("the API without a token does not answer web pages")
	}
	return nil
}

type server struct {
	n   Node
	log *slog.Logger
}

func (s *server) status(w http.ResponseWriter, r *http.Request) {
	st, err := s.n.Status(r.Context())
	s.answer(w, st, err)
}

func (s *server) pipelines(w http.ResponseWriter, r *http.Request) {
	list, err := s.n.Pipelines(r.Context())
	if list == nil {
		list = []*control.Pipeline{}
	}
	s.answer(w, list, err)
}

func (s *server) pipeline(w http.ResponseWriter, r *http.Request) {
	p, err := s.n.Pipeline(r.Context(), r.PathValue("name"))
	s.answer(w, p, err)
}

func (s *server) apply(w http.ResponseWriter, r *http.Request) {
	var a control.Apply
	if !s.read(w, r, &a) {
		return
	}
	p, changed, err := s.n.Apply(r.Context(), a)
	s.answer(w, Applied{p, changed}, err)
}

func (s *server) deletePipeline(w http.ResponseWriter, r *http.Request) {
	err := s.n.DeletePipeline(r.Context(), r.PathValue("name"))
	s.answer(w, struct{}{}, err)
}

// content reads a body whose SHA-256 the path names.
func (s *server) content(w http.ResponseWriter, r *http.Request) (b []byte, ok bool) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxModule))
	if err != nil {
		s.fail(w, http.StatusRequestEntityTooLarge, err)
		return nil, false
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != r.PathValue("sha256") {
		s.fail(w, http.StatusBadRequest, errors.New("the body's SHA-256 is not the one in the path"))
		return nil, false
	}
	return b, true
}

func (s *server) putLookup(w http.ResponseWriter, r *http.Request) {
	data, ok := s.content(w, r)
	if !ok {
		return
	}
	if err := s.n.PutLookup(r.Context(), data); err != nil {
		s.fail(w, http.StatusUnprocessableEntity, err)
		return
	}
	s.answer(w, struct{}{}, nil)
}

func (s *server) putModule(w http.ResponseWriter, r *http.Request) {
	code, ok := s.content(w, r)
	if !ok {
		return
	}
	_, info, err := s.n.PutModule(r.Context(), code)
	if err != nil {
		s.fail(w, http.StatusUnprocessableEntity, err)
		return
	}
	s.answer(w, map[string]any{"name": info.Name, "version": info.Version}, nil)
}

func (s *server) query(w http.ResponseWriter, r *http.Request) {
	var q Query
	if !s.read(w, r, &q) {
		return
	}
	res, err := s.n.Query(r.Context(), q)
	s.answer(w, res, err)
}

func (s *server) token(w http.ResponseWriter, r *http.Request) {
	var t TokenRequest
	if !s.read(w, r, &t) {
		return
	}
	token, err := s.n.Token(r.Context(), t)
	s.answer(w, token, err)
}

func (s *server) agents(w http.ResponseWriter, r *http.Request) {
	list, err := s.n.Agents(r.Context())
	if list == nil {
		list = []Agent{}
	}
	s.answer(w, list, err)
}

func (s *server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	s.n.WriteMetrics(w)
}

// read reads a JSON body; unknown fields are mistakes.
func (s *server) read(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		code := http.StatusBadRequest
		if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
			code = http.StatusRequestEntityTooLarge
		}
		s.fail(w, code, fmt.Errorf("body: %w", err))
		return false
	}
	return true
}

// answer writes a result or the problem that stood in its way.
func (s *server) answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		s.fail(w, codeOf(err), err)
		return
	}
	s.write(w, http.StatusOK, v)
}

func codeOf(err error) int {
	var mistakes compile.Mistakes
	switch {
	case errors.As(err, &mistakes):
		return http.StatusUnprocessableEntity
	case errors.Is(err, control.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, sink.ErrQuery), errors.Is(err, sink.ErrLimit), errors.Is(err, control.ErrRequest):
		return http.StatusBadRequest
	default:
		return http.StatusInternalServerError
	}
}

func (s *server) fail(w http.ResponseWriter, code int, err error) {
	p := Problem{Text: err.Error()}
	var mistakes compile.Mistakes
	if errors.As(err, &mistakes) {
		for _, m := range mistakes {
			p.Mistakes = append(p.Mistakes, Mistake{m.File, m.Line, m.Column, m.What, m.Expected})
		}
	}
	s.write(w, code, p)
}

func (s *server) write(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		s.log.Debug("answer not written", "error", err)
	}
}
