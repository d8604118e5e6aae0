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
		b.report.most("agent binary, linux/"+arch, float64(info.Size()), "bytes", size.Limit)
	}
	packages, err := size.Packages(b.ctx, b.root, "leat-agent")
	if err != nil {
		return err
	}
	intruders := size.Intruders(packages)
	b.report.add("agent: packages linked", float64(len(packages)), "packages")
	b.report.most("agent: packages of the cloud, SQL, NATS or SQLite linked", float64(len(intruders)), "packages", 0)
	if len(intruders) > 0 {
		fmt.Fprintln(os.Stderr, "bench: leat-agent links", intruders)
	}
	return nil
}
