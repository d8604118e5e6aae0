package compile

import (
	"fmt"
	"strings"
)

// Text is the explanation for people.
func (e *Explanation) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline %s", e.Pipeline)
	if e.Version > 0 {
		fmt.Fprintf(&b, ", version %d", e.Version)
	}
	fmt.Fprintf(&b, "\nagents: %s\n", e.Agents)
	for _, line := range e.Head {
		fmt.Fprintf(&b, "%s\n", line)
	}
	b.WriteString("\nedge (on the agents)\n")
	for i, line := range e.Source {
		indent, label := "    ", ""
		if i == 0 {
			indent, label = "  ", "source: "
		}
		fmt.Fprintf(&b, "%s%s%s\n", indent, label, line)
	}
	writeNodes(&b, e.Edge)
	b.WriteString("\nuplink\n")
	for i := range e.Ports {
		e.Ports[i].write(&b)
	}
	fmt.Fprintf(&b, "  freshness: %s\n  partitions: %d\n", e.Freshness, e.Partitions)
	if e.OneLane {
		b.WriteString("  one lane: old rows go before new ones\n")
	}
	b.WriteString("\ncloud\n")
	writeNodes(&b, e.Cloud)
	if e.Load != nil {
		e.Load.write(&b)
	}
	return b.String()
}

// writeNodes writes a fragment's nodes, each below what it reads.
func writeNodes(b *strings.Builder, nodes []Explained) {
	kids := map[int32][]int{}
	for i := range nodes {
		kids[nodes[i].Input] = append(kids[nodes[i].Input], i)
	}
	stack := reversed(kids[-1])
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = append(stack[:len(stack)-1], reversed(kids[int32(i)])...)
		nodes[i].write(b)
	}
}

func reversed(list []int) []int {
	out := make([]int, 0, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		out = append(out, list[i])
	}
	return out
}

func (n *Explained) write(b *strings.Builder) {
	indent := strings.Repeat("  ", n.depth+1)
	b.WriteString(indent + n.Kind)
	if n.Text != "" {
		b.WriteString(": " + n.Text)
	} else if len(n.Details) > 0 {
		b.WriteByte(':')
	}
	b.WriteByte('\n')
	for _, d := range n.Details {
		fmt.Fprintf(b, "%s  %s\n", indent, d)
	}
	// Other nodes have told their columns, or have those of what they read.
	switch n.Kind {
	case "alert", "lookup", "late rows", "window, final stage", "window over results":
		fmt.Fprintf(b, "%s  columns: %s\n", indent, strings.Join(n.Columns, ", "))
	}
}
