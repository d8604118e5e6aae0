// Package logtest is the conformance suite of the cloud's log, keys and
// objects. Each implementation runs it in its own tests:
//
//	logtest.Run(t, func(t *testing.T) logtest.Backend { ... })
package logtest
