// Package cloud is the node in the cloud: it puts the agents' port, the gateway,
// the log, a worker for each partition, the result tables, the registry and the HTTP API together.
//
//	agents ══QUIC══► transport.Server ─► gateway ─► log ─► worker per partition ─► tables
//	                     ▲    │ plans, modules                                       ▲
//	                     │    └── control.Registry, control.Fleet ◄── HTTP API ──────┘ queries
//	                     └────────────── acknowledgements
package cloud
