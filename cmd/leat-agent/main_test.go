package main

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/leatio/leat/internal/config"
	"github.com/leatio/leat/internal/config/configtest"
)

func TestSample(t *testing.T) {
	var f, full file
	configtest.Sample(t, "../../configs/agent.yaml", &f, &full)
	if err := f.agent(nil).Validate(); err != nil {
		t.Error(err)
	}
	// What is commented out shows the defaults.
	want := file{
		DataDir: "./leat-data/separate-agent", Name: "gateway-1", Labels: map[string]string{"role": "greenhouse"}, Params: map[string]string{}, Cloud: []string{},
		CommitInterval: 100 * time.Millisecond, OutboxSize: 1 << 30, LogLevel: "info",
		Functions: functions{CallTimeout: 10 * time.Second, MemorySize: 64 << 20, ModuleSize: 8 << 20, MaxGuiltyRows: 16, LogBytes: 4096},
	}
	if !reflect.DeepEqual(full, want) {
		t.Errorf("got  %+v\nwant %+v", full, want)
	}
}

func TestMemoryInPages(t *testing.T) {
	for size, want := range map[config.Bytes]uint32{0: 0, 1: 1, 64 << 10: 1, 64<<10 + 1: 2, 64 << 20: 1024, math.MaxInt64: math.MaxUint32} {
		if got := pages(size); got != want {
			t.Errorf("%d bytes are %d pages, want %d", size, got, want)
		}
	}
}

func TestReference(t *testing.T) { configtest.Page(t, "../../docs/reference/config.md", new(file)) }
