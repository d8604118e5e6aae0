package cloud

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/leatio/leat/cloud/sink/sqlite"
	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
)

// Bounds of a result table that is read as a reference table.
const (
	lookupRows = 1_000_000
	lookupTime = 30 * time.Second
)

// tableRows gives columns of a result table as JSON: a list of objects.
func (n *Node) tableRows(ctx context.Context, table string, columns []string) ([]byte, error) {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = quoteName(c)
	}
	list := strings.Join(quoted, ", ")
	statement := fmt.Sprintf("SELECT %s FROM %s ORDER BY %s", list, quoteName(table), list)
	r, err := n.tables.Query(ctx, statement, sqlite.QueryLimits{Rows: lookupRows, Time: lookupTime, Bytes: lookup.MaxBytes})
	if err != nil {
		return nil, err
	}
	if r.Truncated {
		return nil, fmt.Errorf("the result table %s is too large for a reference table: at most %d rows with %d bytes are allowed", table, lookupRows, lookup.MaxBytes)
	}
	rows := make([]map[string]any, len(r.Rows))
	for i, values := range r.Rows {
		rows[i] = make(map[string]any, len(columns))
		for k, v := range values {
			if b, ok := v.([]byte); ok {
				v = base64.StdEncoding.EncodeToString(b)
			}
			rows[i][columns[k]] = v
		}
	}
	return json.Marshal(rows)
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// refreshEvery is how often it is looked whether a reference table is due.
const refreshEvery = 5 * time.Second

// refreshLookups reads result tables anew that pipelines take as reference tables.
func (n *Node) refreshLookups(ctx context.Context) error {
	last := map[string]time.Time{}
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now := n.cfg.Clock()
		err := n.registry.Refresh(ctx, func(pipeline string, l *plan.Lookup) bool {
			key := pipeline + " " + l.Table
			at, seen := last[key]
			if !seen {
				last[key] = now // it was read when the pipeline was applied, or before the start
				return false
			}
			if now.Sub(at) < time.Duration(l.RefreshMicros)*time.Microsecond {
				return false
			}
			last[key] = now
			return true
		})
		if err != nil && ctx.Err() == nil {
			n.cfg.Log.Warn("a reference table could not be read anew; the content before stays", "error", err)
		}
	}
}
