package cloud

import (
	"strings"
	"testing"
	"time"
)

// The daemon passes zeros for what its config does not name.
func TestZeroFieldsAreDefaults(t *testing.T) {
	if err := (Config{DataDir: "x"}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateNamesEveryField(t *testing.T) {
	c := Config{
		Listen: "x", Advertise: []string{"a:1", "b"}, API: "0.0.0.0:80", Partitions: 5000, CheckpointEvery: -time.Second, LogBytes: 1,
		Query: QueryLimits{Rows: -1, Time: -1, Bytes: -1},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("no mistake was found")
	}
	for _, key := range []string{"data_dir", "listen", "advertise", "api", "partitions", "checkpoint_every", "log_size", "query.rows", "query.time", "query.size"} {
		if !strings.Contains("\n"+err.Error(), "\n"+key+": ") {
			t.Errorf("%s is not among\n%v", key, err)
		}
	}
	if strings.Contains(err.Error(), `"a:1"`) {
		t.Error("a:1 is a good address")
	}
}

func TestAnOpenAPIAsksForAToken(t *testing.T) {
	for api, good := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true,
		"0.0.0.0:1": false, ":1": false, "192.0.2.1:1": false, "example.org:1": false,
	} {
		if err := (Config{DataDir: "x", API: api}).Validate(); (err == nil) != good {
			t.Errorf("%s: %v", api, err)
		}
		if err := (Config{DataDir: "x", API: api, APIToken: "t"}).Validate(); err != nil {
			t.Errorf("%s with a token: %v", api, err)
		}
	}
}
