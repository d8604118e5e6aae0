// Package version says which build this is.
package version

import "runtime/debug"

// Number is the release that this tree becomes.
const Number = "0.1.0"

// String is the number and, where the build knows it, the commit.
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Number
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return Number + "+" + s.Value[:12]
		}
	}
	return Number
}
