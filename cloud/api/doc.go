// Package api is the node's HTTP API and its client, which the leat command
// uses. docs/reference/api.md lists the calls. Bodies are JSON; errors are
// {"error": "...", "mistakes": [...]} with a status that says whose fault it was.
//
//	GET    /v1/status               the node, its pipelines, its agents
//	GET    /v1/pipelines            all pipelines
//	POST   /v1/pipelines            apply a file
//	GET    /v1/pipelines/{name}     one pipeline
//	DELETE /v1/pipelines/{name}     delete it; its tables stay
//	PUT    /v1/modules/{sha256}     the bytes of a function module
//	PUT    /v1/lookups/{sha256}     the bytes of a file of a reference table
//	POST   /v1/query                a read-only SQL statement over the result tables
//	POST   /v1/fleet/tokens         mint a join token
//	GET    /v1/fleet/agents         the fleet
//	GET    /metrics                 counters in Prometheus' text format
package api
