package mqtt

import "errors"

var (
	// ErrConfig says that the configuration cannot work.
	ErrConfig = errors.New("mqtt source")
	// ErrStored says that the stored entries cannot be read.
	ErrStored = errors.New("the stored redelivery entries are damaged")
	// errProtocol says that the broker sent what it must not.
	errProtocol = errors.New("the broker broke the MQTT protocol")
	errLost     = errors.New("the connection was lost")
	errRefused  = errors.New("the broker refused the subscription")
	errTimeout  = errors.New("the broker did not answer in time")
)
