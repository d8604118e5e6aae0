// Package crash runs Leat for real and kills it. Real processes (mosquitto, leat-cloud, leat-agent, leat) carry
// messages from a publisher to result tables, while agent and cloud node are
// ended by SIGKILL at random moments and started again. At the end the tables
// must equal what the publisher's messages give, to the last bit.
//
//	publisher ──QoS 1──> mosquitto ──QoS 1──> leat-agent ══QUIC══> leat-cloud ──> crash_windows, crash_rows
//	    │                    │                    ╰── SIGKILL ──────────╯                 │
//	    │                    ╰─ its log ─> witness: sent, sent again, acknowledged        │
//	    ╰──> oracle ─────────────────────────────── equal? ───────────── leat query <─────╯
//
// Two pipelines subscribe to the same messages: crash_windows aggregates
// them by device and ten seconds, crash_rows keeps every row. Half of all messages are
// the same bytes, and many others repeat an earlier one, so that content tells nothing apart.
//
// The witness reads the broker's own log, and so knows without asking Leat
// what is unacknowledged at the moment of a kill and what is sent again after it. It
// also paces the publisher, so that the broker's queue never drops.
//
// A kill during which the killed process had nothing in flight (no
// unacknowledged message or frame) does not count and is repeated.
package crash
