package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"
)

// Flags are the flags of a daemon: --config, --help, --version and its own.
type Flags struct {
	*pflag.FlagSet
	Done bool // --help or --version was answered

	name, what string
}

// NewFlags returns the flags of a daemon, to which it adds its own.
func NewFlags(name, what string) *Flags {
	f := &Flags{FlagSet: pflag.NewFlagSet(name, pflag.ContinueOnError), name: name, what: what}
	f.String("config", "", "config file (configs/ has commented samples)")
	f.Bool("version", false, "print the version")
	f.Usage = func() {}
	return f
}

// Parse reads the command line and gives the path of the config file.
func (f *Flags) Parse(args []string, version string) (configFile string, err error) {
	err = f.FlagSet.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		f.Done = true
		_, err = fmt.Fprintf(os.Stdout, "%s: %s\n\nUsage:\n  %s [flags]\n\nFlags:\n%s", f.name, f.what, f.name, f.FlagUsages())
		return "", err
	}
	if err != nil {
		return "", Mistake(fmt.Errorf("%w; see `%s --help`", err, f.name))
	}
	if f.NArg() > 0 {
		return "", Mistake(fmt.Errorf("unexpected argument %q; see `%s --help`", f.Arg(0), f.name))
	}
	if f.Lookup("version").Value.String() == "true" {
		f.Done = true
		_, err = fmt.Fprintln(os.Stdout, f.name, version)
		return "", err
	}
	return f.Lookup("config").Value.String(), nil
}
