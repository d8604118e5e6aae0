package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/leatio/leat/internal/config/configtest"
)

func TestSample(t *testing.T) {
	var f, full file
	configtest.Sample(t, "../../configs/cloud.yaml", &f, &full)
	if err := f.cloud(nil).Validate(); err != nil {
		t.Error(err)
	}
	// What is commented out shows the defaults.
	want := file{
		DataDir: "./leat-data/separate-cloud", Node: "cloud-1", Listen: ":4750", Advertise: []string{"127.0.0.1:4750"}, API: "127.0.0.1:4751",
		Partitions: 16, CheckpointEvery: 5 * time.Second, LogSize: 1 << 30, LogLevel: "info",
		Query: query{Rows: 10_000, Time: 10 * time.Second, Size: 16 << 20},
	}
	if !reflect.DeepEqual(full, want) {
		t.Errorf("got  %+v\nwant %+v", full, want)
	}
}

func TestReference(t *testing.T) { configtest.Page(t, "../../docs/reference/config.md", new(file)) }
