// Package demo is what `leat up` starts: a broker, simulated sensors, an agent
// and a cloud node in one process on loopback, with the greenhouse example as
// its pipeline, and a live view of them.
//
//	sensors ─MQTT─► broker ─QoS 1─► agent ══QUIC══► cloud node ─► climate_10s
package demo
