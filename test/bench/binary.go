package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/leatio/leat/test/size"
)

// size builds the agent as it is shipped, for both architectures, and looks at
// what it links.
func (b *bench) size() error {
	for _, arch := range size.Architectures {
		out := filepath.Join(b.dir, "leat-agent-"+arch)
		if err := size.BuildAgent(b.ctx, b.root, out, arch); err != nil {
			return err
		}
		info, err := os.Stat(out)
		if err != nil {
			return err
		}
		b.report.most("agent binary, linux/"+arch, "bytes", size.Limit, float64(info.Size()))
	}
	packages, err := size.Packages(b.ctx, b.root, "leat-agent")
	if err != nil {
		return err
	}
	intruders := size.Intruders(packages)
	b.report.add("agent: packages linked", "packages", float64(len(packages)))
	b.report.most("agent: packages of the cloud, SQL, NATS or SQLite linked", "packages", 0, float64(len(intruders)))
	if len(intruders) > 0 {
		fmt.Fprintln(os.Stderr, "bench: leat-agent links", intruders)
	}
	return nil
}
