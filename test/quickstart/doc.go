// Package quickstart types what the README says into shells, and looks whether
// what it promises comes true: the first look (leat up) and the separate
// processes with Debian's mosquitto.
package quickstart
