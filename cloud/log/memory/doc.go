// Package memory implements the cloud's log, keys and objects in memory, for
// simulation.
//
// A Store does nothing by itself: it starts no goroutine, asks no clock and no
// random numbers, so that the same calls in the same order give the same results. Failures
// happen where Config.Fault says so:
//
//	Fault     applied                        reported
//	None      yes                            success
//	Fail      no                             ErrInjected
//	Unknown   yes                            ErrInjected
//	Late      after the partition's next     ErrInjected
//	          append (appends; others: Fail)
//
// Reopen stands for a crash and a restart: everything applied is there, what was pending as Late is lost.
package memory
