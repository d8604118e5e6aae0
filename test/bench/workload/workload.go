package workload

import (
	"embed"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
)

//go:embed pipelines
var pipelines embed.FS

// Workload is one query.
type Workload struct {
	Name string
	// Rows writes rows as JSON lines.
	Rows func(w io.Writer, rows int) error
	// Oracle gives the lines that the pipeline must print for JSON lines.
	Oracle func(input []byte) ([]string, error)
}

// All gives the queries.
func All() []Workload {
	return []Workload{
		{"uc1", sensorRows(1000, 1), uc1}, {"uc2", sensorRows(1000, 1), uc2}, {"uc3", sensorRows(10, 3600), uc3},
		{"q0", auctionRows, q0}, {"q1", auctionRows, q1}, {"q2", auctionRows, q2}, {"q5", auctionRows, q5}, {"q7", auctionRows, q7},
	}
}

// Pipeline is the text of a query's pipeline file. It reads standard input.
func (w *Workload) Pipeline() (string, error) {
	text, err := pipelines.ReadFile("pipelines/" + w.Name + ".yaml")
	return string(text), err
}

// firstMillis is in Europe/Paris some days before the clocks go back, so that UC3 meets a day of 25 hours.
const firstMillis = 1_697_000_000_000

// sensorRows gives Theodolite's records: each sensor one every so many seconds.
func sensorRows(sensors, every int) func(io.Writer, int) error {
	return func(w io.Writer, rows int) error {
		rng := rand.New(rand.NewPCG(1, uint64(sensors)))
		var line []byte
		for i := range rows {
			round, sensor := i/sensors, i%sensors
			at := firstMillis + int64(round)*int64(every)*1000 + int64(sensor)*1000*int64(every)/int64(sensors)
			line = append(line[:0], `{"identifier":"s_`...)
			line = strconv.AppendInt(line, int64(sensor), 10)
			line = append(strconv.AppendInt(append(line, `","timestamp":`...), at, 10), `,"valueInW":`...)
			line = strconv.AppendFloat(line, float64(rng.IntN(100_000))/10, 'f', -1, 64)
			if _, err := w.Write(append(line, "}\n"...)); err != nil {
				return err
			}
		}
		return nil
	}
}

// Nexmark: of 50 events one is a person, three are auctions, 46 are bids.
const (
	auctionEvents = 50
	personEvents  = 1
	openEvents    = 3
	eventsPerMs   = 10
	bidders       = 5000
)

// auctionRows gives Nexmark's events, ten a millisecond. Half of the bids are for one hot auction of the last hundred.
func auctionRows(w io.Writer, rows int) error {
	rng := rand.New(rand.NewPCG(2, 5))
	var line []byte
	for i := range rows {
		at := firstMillis + int64(i)/eventsPerMs
		kind, auctions := i%auctionEvents, i/auctionEvents*openEvents+1
		switch {
		case kind < personEvents:
			line = fmt.Appendf(line[:0], `{"event":"person","id":%d,"name":"p %d","email":"p%d@example.com","city":"Oslo","at":%d}`, i/auctionEvents, i, i, at)
		case kind < personEvents+openEvents:
			line = fmt.Appendf(line[:0], `{"event":"auction","id":%d,"item":"thing %d","initial_bid":%d,"seller":%d,"category":%d,"at":%d}`, auctions, i, rng.IntN(1000), rng.IntN(bidders), rng.IntN(5), at)
		default:
			auction := max(0, auctions-rng.IntN(100))
			if rng.IntN(2) == 0 {
				auction = auctions / 100 * 100
			}
			line = append(line[:0], `{"event":"bid","auction":`...)
			line = append(strconv.AppendInt(line, int64(auction%1_000_000), 10), `,"bidder":`...)
			line = append(strconv.AppendInt(line, rng.Int64N(bidders), 10), `,"price":`...)
			line = append(strconv.AppendInt(line, 1+rng.Int64N(1_000_000), 10), `,"channel":"web","url":"https://example.com/a","at":`...)
			line = append(strconv.AppendInt(line, at, 10), '}')
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}
