// Package size builds the programs as they are delivered and holds the agent to
// its bar: 15,000,000 bytes, stripped, on both architectures, and none of the
// parts that belong to the cloud.
package size

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Limit bounds the agent's binary.
const Limit = 15_000_000

// BuildFlags are what programs are delivered with; the Makefile builds with the same.
// HTTP/2 has no use here: scrapers, the API and brokers behind WebSockets speak HTTP/1.1.
var BuildFlags = []string{"-trimpath", "-tags=nethttpomithttp2", "-ldflags=-s -w"}

// Architectures that the agent is delivered for.
var Architectures = []string{"amd64", "arm64"}

// Forbidden names what leat-agent must not link: a package, or a folder of packages.
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

// Build builds ./cmd/NAME of the module in root for an architecture into dir and
// gives the binary's path.
func Build(ctx context.Context, root, dir, name, arch string) (string, error) {
	out := filepath.Join(dir, name+"-"+arch)
	args := append(append([]string{"build"}, BuildFlags...), "-o", out, "./cmd/"+name)
	if _, err := goTool(ctx, root, arch, args...); err != nil {
		return "", err
	}
	return out, nil
}

// Packages lists all that ./cmd/NAME of the module in root links.
func Packages(ctx context.Context, root, name string) ([]string, error) {
	out, err := goTool(ctx, root, "", "list", "-deps", "./cmd/"+name)
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

func goTool(ctx context.Context, root, arch string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS=linux")
	if arch != "" {
		cmd.Env = append(cmd.Env, "GOARCH="+arch)
	}
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, talk.String())
	}
	return out, nil
}
