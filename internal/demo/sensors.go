package demo

import (
	"context"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/leatio/leat/agent/source/sim"
)

// The simulated greenhouse.
const (
	devices    = 40
	perSecond  = 400 // messages of all devices
	houses     = 4
	tick       = 50 * time.Millisecond
	disconnect = 100 // milliseconds
)

// sense publishes readings over MQTT until ctx ends. Now and then a sensor is
// broken, so that there are rejects to look at.
func sense(ctx context.Context, broker string) error {
	client := paho.NewClient(paho.NewClientOptions().AddBroker(broker).SetClientID("leat-up-sensors").SetConnectRetry(true))
	if t := client.Connect(); t.Wait() && t.Error() != nil {
		return fmt.Errorf("sensors: %w", t.Error())
	}
	defer client.Disconnect(disconnect)
	gen := sim.NewClimate(uint64(time.Now().UnixNano()), devices)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var buf []byte
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			for range perSecond * int(tick) / int(time.Second) {
				row := gen.Next()
				row.Millis = now.UnixMilli()
				buf = row.AppendJSON(buf[:0])
				if n++; n%5000 == 0 {
					buf = append(buf[:0], `{"device":"dev-broken","ts":`...)
				}
				topic := fmt.Sprintf("greenhouse/%d/climate", row.Device%houses)
				client.Publish(topic, 1, false, append([]byte(nil), buf...))
			}
		}
	}
}
