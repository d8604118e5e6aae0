// Package transport carries opaque frames and control messages between agents and cloud
// nodes in QUIC sessions. It knows identities and numbers, not plans or rows.
//
// One UDP port takes two protocols, told apart by ALPN:
//
//	leat/1       mutual TLS 1.3; the agent's id is the URI SAN of its certificate
//	leat-join/1  no client certificate; the node is known by the token's pin of its CA
//
// A session has these streams, all bidirectional and opened by the agent:
//
//	control  Hello >            < Welcome, Plans, Pong, Goodbye        > Status, Ping, Goodbye
//	data     StreamOpen >       < StreamReply, then StreamDown (Ack)   > frames      one per (pipeline, version, lane)
//	fetch    FetchRequest >     < FetchReply, bytes
//	renew    RenewRequest >     < JoinReply
//
// The sending side of a data stream (Sender):
//
//	          Open()             Accepted
//	idle ───────────────> asked ──────────> sending: Next() gives frames while the window has room,
//	  ^                     │                  │      Acked() trims the source
//	  │ connection lost     │ refused          │ refused, diverged
//	  ├─────────────────────┼──────────────────┤
//	  │                     v                  v
//	  └── after a pause ── refused (reason in the status)
//
// A connection that breaks loses nothing: the next Open begins at the first
// unacknowledged frame, so the cloud sees duplicates and drops them by number.
//
// Client.Run: resolve, dial, Hello, Welcome, streams; on a loss it pauses (exponential, full jitter) and begins anew.
package transport
