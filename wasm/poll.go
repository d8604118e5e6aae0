package wasm

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/tetratelabs/wazero/api"
)

// Error numbers of WASI preview 1.
const (
	errnoSuccess = 0
	errnoBadFile = 8
	errnoInvalid = 28
)

// Sizes of WASI's records, and the bound of a poll.
const (
	subscriptionBytes = 48
	eventBytes        = 32
	maxSubscriptions  = 1024
)

func hostBadFile(_ context.Context, _ api.Module, stack []uint64) { stack[0] = errnoBadFile }

// hostPoll is poll_oneoff(in, out, count, result): clocks move on to the first that
// is due; every file is a bad one.
//
//	subscription: 0 user data u64 | 8 kind u8 (0 clock, 1 read, 2 write) | 16 clock u32 | 24 timeout u64 | 40 flags u16 (1 absolute)
//	event:        0 user data u64 | 8 errno u16 | 10 kind u8
func hostPoll(ctx context.Context, mod api.Module, stack []uint64) {
	count := stack[2] & math.MaxUint32
	if count == 0 || count > maxSubscriptions {
		stack[0] = errnoInvalid
		return
	}
	w := worldOf(ctx)
	in := guestBytes(mod, "poll_oneoff", stack[0], count*subscriptionBytes)
	out := guestBytes(mod, "poll_oneoff", stack[1], count*eventBytes)
	result := guestBytes(mod, "poll_oneoff", stack[3], 4)
	wait, file := soonest(w, in)
	if !file {
		w.nanosleep(wait)
	}
	var events [maxSubscriptions * eventBytes]byte
	n := 0
	for s := in; len(s) > 0; s = s[subscriptionBytes:] {
		clock := s[8] == 0
		if clock && (file || waitFor(w, s) > wait) {
			continue
		}
		e := events[n*eventBytes:][:eventBytes]
		copy(e, s[:8])
		if !clock {
			e[8] = errnoBadFile
		}
		e[10] = s[8]
		n++
	}
	copy(out, events[:n*eventBytes])
	binary.LittleEndian.PutUint32(result, uint32(n))
	stack[0] = errnoSuccess
}

// soonest is the shortest time that a clock of the subscriptions asks for, and
// whether there is a file among them.
func soonest(w *world, subscriptions []byte) (wait int64, file bool) {
	wait = math.MaxInt64
	for s := subscriptions; len(s) > 0; s = s[subscriptionBytes:] {
		if s[8] != 0 {
			file = true
			continue
		}
		wait = min(wait, waitFor(w, s))
	}
	return wait, file
}

// waitFor is the time in nanoseconds until a clock subscription is due.
func waitFor(w *world, s []byte) int64 {
	le := binary.LittleEndian
	timeout := int64(min(le.Uint64(s[24:]), math.MaxInt64))
	if le.Uint16(s[40:])&1 == 0 {
		return timeout
	}
	now := w.monotonic
	if le.Uint32(s[16:]) == 0 {
		sec, nsec := w.walltime()
		now = sec*1e9 + int64(nsec)
	}
	if now >= timeout {
		return 0
	}
	return timeout - max(now, 0)
}
