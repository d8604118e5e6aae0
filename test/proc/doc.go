// Package proc is what the tests of whole programs share: the programs, built
// once; a network of their own; processes that end with their test; waiting
// for conditions.
//
// A test package calls Main from its TestMain. As root on Linux the tests then
// run in a network namespace where no port is taken, with empty directories
// where Debian's mosquitto keeps its files, so that fixed ports and files never clash
// with anything on the machine. Elsewhere they run as they are, and those that
// find a port taken are skipped.
package proc
