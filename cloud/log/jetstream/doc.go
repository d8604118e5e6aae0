// Package jetstream implements the cloud's log, keys and objects on an embedded
// NATS JetStream server.
package jetstream
