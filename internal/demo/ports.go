package demo

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// portTries is how many ports above a taken one are tried.
const portTries = 50

// listenTCP binds the first free port from port on, and says when it stepped over taken ones.
func listenTCP(what string, port int, say func(string)) (net.Listener, error) {
	return step(what, port, say, func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) })
}

// listenUDP is listenTCP for UDP.
func listenUDP(what string, port int, say func(string)) (net.PacketConn, error) {
	return step(what, port, say, func(addr string) (net.PacketConn, error) { return net.ListenPacket("udp", addr) })
}

func step[T any](what string, port int, say func(string), bind func(addr string) (T, error)) (T, error) {
	for p := port; p < port+portTries; p++ {
		l, err := bind(net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err == nil {
			if p != port {
				say(fmt.Sprintf("port %d is taken: the %s uses %d", port, what, p))
			}
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			var none T
			return none, fmt.Errorf("%s: %w", what, err)
		}
	}
	var none T
	return none, fmt.Errorf("%s: the ports %d to %d are all taken", what, port, port+portTries-1)
}
