package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/wasm"
)

func TestZeroFieldsAreDefaults(t *testing.T) {
	if err := (Config{DataDir: "x"}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateNamesEveryField(t *testing.T) {
	c := Config{
		Name: "a b", Labels: map[string]string{"ok": "fine", "": "x", "a,b": "c"}, Cloud: []string{"host"}, CommitInterval: -time.Second,
		OutboxBytes: 1, MetricsListen: "9100",
		Functions: wasm.Config{CallTimeout: -1, MaxMemoryPages: 1 << 20, MaxModuleBytes: -1, MaxGuiltyRows: -1, LogBytesPerSecond: -1},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("no mistake was found")
	}
	for _, key := range []string{
		"data_dir", "name", "labels", "cloud", "commit_interval", "outbox_size", "metrics_listen",
		"functions.call_timeout", "functions.memory_size", "functions.module_size", "functions.max_guilty_rows", "functions.log_bytes_per_second",
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+key+": ") {
			t.Errorf("%s is not among\n%v", key, err)
		}
	}
	if n := strings.Count(err.Error(), "labels: "); n != 2 {
		t.Errorf("%d labels are wrong in\n%v", n, err)
	}
}
