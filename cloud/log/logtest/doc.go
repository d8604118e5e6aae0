// Package logtest is the conformance suite of the cloud's log, keys and objects.
package logtest
