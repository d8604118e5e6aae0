package crash

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// Shape of the input.
const (
	baseMillis     = 1_700_000_000_000 // event time of the first message; a multiple of windowMillis
	stepMillis     = 5                 // event time between two messages
	disorderMillis = 1500
	windowMillis   = 10_000
	devices        = 40
	recentMessages = 64 // one of these is repeated
	freshDevices   = 64 // of the input after the faults; enough for each partition to get some

	stuckDevice = "stuck"
	endDevice   = "end"
)

// message is one reading.
type message struct {
	device string
	millis int64
	value  float64
}

// payload is the message as it is published. Equal messages have equal bytes.
func (m message) payload() []byte {
	b := fmt.Appendf(nil, `{"device":%q,"ts":%d,"value":`, m.device, m.millis)
	return append(strconv.AppendFloat(b, m.value, 'f', -1, 64), '}')
}

func (m message) topic() string { return "crash/" + m.device }

// input makes messages. Of ten, five are the same as all others of their kind,
// two repeat one of the last messages of a working sensor, and three are new readings.
type input struct {
	rng    *rand.Rand
	n      int64
	recent []message
}

func newInput(seed uint64) *input { return &input{rng: rand.New(rand.NewPCG(seed, 1))} }

// millis is where event time stands.
func (in *input) millis() int64 { return baseMillis + in.n*stepMillis }

func (in *input) next() message {
	in.n++
	kind := in.rng.IntN(10)
	switch {
	case kind < 5:
		return message{stuckDevice, baseMillis, 21.37}
	case kind < 7 && len(in.recent) > 0:
		return in.recent[in.rng.IntN(len(in.recent))]
	}
	m := message{
		device: "dev-" + strconv.Itoa(in.rng.IntN(devices)),
		millis: in.millis() - in.rng.Int64N(disorderMillis),
		value:  float64(in.rng.IntN(150_000)-50_000) / 1000,
	}
	m.millis = max(m.millis, baseMillis)
	if len(in.recent) < recentMessages {
		in.recent = append(in.recent, m)
	} else {
		in.recent[in.n%recentMessages] = m
	}
	return m
}

// fresh gives the input after the faults: one message for each of many new
// devices in a window of their own, and one that moves event time past that window's end.
func (in *input) fresh() []message {
	at := (in.millis()/windowMillis + 2) * windowMillis
	var out []message
	for i := range freshDevices {
		out = append(out, message{"fresh-" + strconv.Itoa(i), at + int64(i), float64(i)})
	}
	return append(out, message{endDevice, at + 4*windowMillis, 0})
}
