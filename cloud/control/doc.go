// Package control keeps what a fleet's operator decides: pipelines and their
// plans, function modules, join tokens, agents. Everything stands in the keys and
// objects of cloud/log and changes by compare-and-set, so that any node may do it.
//
//	pipelines/NAME         the newest version: id, version, file, modules (JSON)
//	plans/ID/VERSION       a compiled plan (engine/plan); never changes
//	modules/SHA256         an object: the bytes of a function module
//	tokens/ID              a join token's record (JSON)
//	agents/ID              an agent: store epoch, labels, certificate serial (JSON)
package control
