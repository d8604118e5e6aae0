package api

import (
	"context"
	"io"
	"time"

	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/engine/compile"
)

// Node is what the API offers of a cloud node.
type Node interface {
	Status(ctx context.Context) (*Status, error)
	Apply(ctx context.Context, a control.Apply) (*control.Pipeline, bool, error)
	Pipelines(ctx context.Context) ([]*control.Pipeline, error)
	Pipeline(ctx context.Context, name string) (*control.Pipeline, error)
	DeletePipeline(ctx context.Context, name string) error
	PutModule(ctx context.Context, code []byte) (sum string, info *compile.ModuleInfo, err error)
	PutLookup(ctx context.Context, data []byte) error
	Query(ctx context.Context, q Query) (*Result, error)
	Token(ctx context.Context, r TokenRequest) (*Token, error)
	Agents(ctx context.Context) ([]Agent, error)
	WriteMetrics(w io.Writer)
}

// Status is how a node fares.
type Status struct {
	Node       string           `json:"node"`
	Version    string           `json:"version"`
	Started    time.Time        `json:"started"`
	AgentAddr  string           `json:"agent_addr"`
	DataDir    string           `json:"data_dir"`
	Partitions int              `json:"partitions"`
	Frames     uint64           `json:"frames"`
	FrameBytes uint64           `json:"frame_bytes"`
	Pipelines  []PipelineStatus `json:"pipelines"`
	Agents     []Agent          `json:"agents"`
}

// PipelineStatus is how a pipeline fares in the cloud.
type PipelineStatus struct {
	Name      string     `json:"name"`
	ID        string     `json:"id"`
	Version   uint64     `json:"version"`
	Watermark *time.Time `json:"watermark"` // up to which windows fired; null = none yet
	Fired     int64      `json:"fired"`     // window results, revisions included, since the node started
	TooLate   int64      `json:"too_late"`  // partials for windows that were forgotten
}

// Agent is a member of the fleet and how it fares.
type Agent struct {
	ID        string            `json:"id"`
	State     string            `json:"state"` // connected | away
	Labels    map[string]string `json:"labels,omitempty"`
	Epoch     uint64            `json:"epoch"`
	Joined    time.Time         `json:"joined"`
	Expires   time.Time         `json:"certificate_expires"`
	Version   string            `json:"version,omitempty"`
	Remote    string            `json:"remote,omitempty"`
	Outbox    uint64            `json:"outbox_bytes"`
	Pipelines []AgentPipeline   `json:"pipelines,omitempty"`
}

// AgentPipeline is how a pipeline fares on an agent.
type AgentPipeline struct {
	Name      string `json:"name"`
	Version   uint64 `json:"version"`
	State     string `json:"state"` // pending (not told of yet) | starting | running | failed | stopped
	Reason    string `json:"reason,omitempty"`
	Source    string `json:"source,omitempty"` // one line: what its source is doing, or why it cannot and what to do
	Rows      uint64 `json:"rows"`
	Rejects   uint64 `json:"rejects"`
	Late      uint64 `json:"late_rows"`
	RawBytes  uint64 `json:"raw_bytes"`
	SentBytes uint64 `json:"sent_bytes"`

	SourceConnected bool `json:"source_connected"`
}

// Query is a read-only SQL statement.
type Query struct {
	SQL  string `json:"sql"`
	Rows int    `json:"rows,omitempty"` // at most this many; 0 = the node's limit
}

// Result is what a query gave.
type Result struct {
	Columns   []string `json:"columns"`
	Rows      [][]any  `json:"rows"`
	Truncated bool     `json:"truncated,omitempty"` // there were more rows, or more bytes, than the limits allow
}

// TokenRequest says what a join token allows.
type TokenRequest struct {
	LifeSeconds int64             `json:"life_seconds,omitempty"` // default 1 hour
	Uses        int               `json:"uses,omitempty"`         // default 1
	Labels      map[string]string `json:"labels,omitempty"`
	Name        string            `json:"name,omitempty"`
}

// Token is a minted join token.
type Token struct {
	Token   string    `json:"token"`
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"`
	Addrs   []string  `json:"addrs"`
}

// Applied is the answer to an apply.
type Applied struct {
	Pipeline *control.Pipeline `json:"pipeline"`
	Changed  bool              `json:"changed"`
}

// Problem is the body of an answer that is not a success.
type Problem struct {
	Text     string    `json:"error"`
	Mistakes []Mistake `json:"mistakes,omitempty"`
}

// Mistake is one mistake in a pipeline file.
type Mistake struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	What     string `json:"what"`
	Expected string `json:"expected"`
}
