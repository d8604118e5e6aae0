// Package size holds the agent as it is shipped to its bar: 15,000,000 bytes,
// stripped, on both architectures, and none of the parts that belong to the cloud.
package size

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Limit bounds the agent's binary.
const Limit = 15_000_000

// Architectures that the agent is shipped for.
var Architectures = []string{"amd64", "arm64"}

// Forbidden names what leat-agent must not link: packages, or folders of them.
var Forbidden = []string{
	"github.com/nats-io",
	"modernc.org",
	"github.com/leatio/leat/engine/sql",
	"github.com/leatio/leat/engine/compile",
	"github.com/leatio/leat/cloud",
	"github.com/spf13/cobra",
	"github.com/mochi-mqtt",
	"google.golang.org/protobuf/proto", // internal/pb stands for it
}

// BuildAgent builds the agent of the module in root for an architecture with `make agent`.
func BuildAgent(ctx context.Context, root, out, arch string) error {
	_, err := run(ctx, root, arch, "make", "-s", "agent", "OUT="+out)
	return err
}

// Packages lists all that ./cmd/NAME of the module in root links.
func Packages(ctx context.Context, root, name string) ([]string, error) {
	out, err := run(ctx, root, "amd64", "go", "list", "-deps", "./cmd/"+name)
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(out)), nil
}

// Intruders are those packages that are forbidden.
func Intruders(packages []string) []string {
	return slices.DeleteFunc(slices.Clone(packages), func(p string) bool {
		return !slices.ContainsFunc(Forbidden, func(f string) bool { return p == f || strings.HasPrefix(p, f+"/") })
	})
}

func run(ctx context.Context, root, arch, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, talk.String())
	}
	return out, nil
}
