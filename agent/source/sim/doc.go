// Package sim is a source of simulated devices: the climate workload, rows such as
//
//	{"device":"dev-0361","ts":1700000000001,"temp":22.0,"humidity":49.6}
//
// with random walks of temperature and humidity, quantised to a tenth. Everything follows from the seed: the same
// seed, devices and number of rows give the same bytes on every machine.
//
// Without a rate, rows come as fast as they are taken, with event times from 1700000000000 ms on, ten rows a
// millisecond. A committed position (key Prefix + "rows", the number of rows given as a uvarint)
// makes a restarted source go on behind the last committed row.
//
// With a rate, rows are live: they are paced by the clock and carry its time. After a restart the walks
// begin anew; only the count towards Rows goes on.
package sim
