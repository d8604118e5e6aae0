package mqtt

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/leatio/leat/agent/broker"
)

// explain says in one line why there is no connection and what to do.
func explain(err error, at broker.Endpoint, cfg Config) string {
	var dns *net.DNSError
	var timeout net.Error
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword):
		return "user name or password refused: correct source.mqtt.username and password"
	case errors.Is(err, packets.ErrorRefusedNotAuthorised):
		return fmt.Sprintf("user %q with client id %q is not authorised: correct source.mqtt.username and password, or allow them in the broker's configuration", cfg.Username, cfg.ClientID)
	case errors.Is(err, packets.ErrorRefusedIDRejected):
		return fmt.Sprintf("client id %q refused: correct source.mqtt.client_id", cfg.ClientID)
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return "the broker is up but not available: look at its log"
	case errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		return "the broker does not speak MQTT 3.1.1: upgrade it"
	case errors.Is(err, errRefused):
		return err.Error() + ": correct source.mqtt.topics, or allow it in the broker's access list"
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("connection refused: nothing listens at %s: start the broker or correct source.mqtt.broker", at.Address)
	case errors.As(err, &dns):
		return fmt.Sprintf("host %q is not known (%s): correct source.mqtt.broker or the name server", at.Host, dns.Err)
	case errors.As(err, &authority):
		return "the broker's certificate is from an unknown authority: set source.mqtt.ca_file"
	case errors.As(err, &hostname):
		return hostname.Error() + ": correct source.mqtt.broker or the certificate"
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission):
		return err.Error() + ": correct the path or the permissions"
	case errors.Is(err, errTimeout), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no answer from %s: is the address right, and does a firewall stand between?", at.Address)
	case errors.Is(err, errLost) && errors.Is(err, io.EOF):
		return "the broker closed the connection: look at its log; two clients with one client id do this to each other"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Sprintf("%s closed the connection: is it an MQTT broker, and does it want TLS (ssl://)?", at.Address)
	}
	return err.Error() + ": look at the broker's log"
}
