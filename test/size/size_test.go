package size

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const root = "../.."

func TestAgentIsSmall(t *testing.T) {
	for _, arch := range Architectures {
		path := filepath.Join(t.TempDir(), "leat-agent")
		if err := BuildAgent(t.Context(), root, path, arch); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("leat-agent for %s: %d bytes", arch, info.Size())
		if info.Size() > Limit {
			t.Errorf("leat-agent for %s has %d bytes, %d above the limit", arch, info.Size(), info.Size()-Limit)
		}
	}
}

func TestAgentLinksNothingOfTheCloud(t *testing.T) {
	packages, err := Packages(t.Context(), root, "leat-agent")
	if err != nil {
		t.Fatal(err)
	}
	if bad := Intruders(packages); len(bad) > 0 {
		t.Errorf("leat-agent links %v", bad)
	}
	if !slices.Contains(packages, "github.com/leatio/leat/agent") {
		t.Errorf("the list has not even the agent: %v", packages)
	}
	node, err := Packages(t.Context(), root, "leat-cloud")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"github.com/nats-io/nats-server/v2/server", "modernc.org/sqlite", "github.com/leatio/leat/engine/sql"} {
		if !slices.Contains(Intruders(node), name) {
			t.Errorf("%s is no longer found in leat-cloud: is its name still right?", name)
		}
	}
}
