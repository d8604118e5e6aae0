package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/leatio/leat/test/proc"
)

func TestAllMistakesOfAConfig(t *testing.T) {
	for name, program := range map[string]string{
		"cloud": "leat-cloud", "cloud-values": "leat-cloud", "agent": "leat-agent", "agent-values": "leat-agent",
	} {
		r := run(t, "testdata", program, "--config", name+".yaml")
		if r.Code != 2 || r.Out != "" {
			t.Errorf("%s: exit code %d, wrote %q", name, r.Code, r.Out)
		}
		golden(t, name+".txt", r.Err)
	}
	if _, err := os.Stat(filepath.Join("testdata", "never-made")); !os.IsNotExist(err) {
		t.Error("a data directory was made although the config is wrong")
	}
}

func TestMistakesInTheEnvironmentAndInFlags(t *testing.T) {
	cmd := command(t, t.TempDir(), "leat-cloud", "--data-dir", "d", "--listen", "nowhere")
	cmd.Env = append(cmd.Env, "LEAT_PARTITIONS=0x", "LEAT_QUERY_TIME=1")
	if r := proc.Run(t, patience, cmd); r.Code != 2 || r.Err != `LEAT_PARTITIONS: expected a whole number, found "0x"
LEAT_QUERY_TIME: expected a duration such as 500ms, 10s or 1h, found "1"
` {
		t.Errorf("exit code %d, got\n%s", r.Code, r.Err)
	}
	cmd = command(t, t.TempDir(), "leat-cloud", "--data-dir", "d", "--listen", "nowhere")
	cmd.Env = append(cmd.Env, "LEAT_PARTITIONS=-3")
	if r := proc.Run(t, patience, cmd); r.Code != 2 || r.Err != `LEAT_PARTITIONS: is -3, expected 1 to 4096
--listen: "nowhere" is not of the form host:port
` {
		t.Errorf("exit code %d, got\n%s", r.Code, r.Err)
	}
}

func TestWrongCommandLines(t *testing.T) {
	for _, tt := range []struct {
		program string
		args    []string
		want    string
	}{
		{"leat", []string{"frob"}, "unknown command \"frob\"; see `leat --help`"},
		{"leat", []string{"fleet", "frob"}, "unknown command \"frob\"; see `leat fleet --help`"},
		{"leat", []string{"query"}, "got 0 arguments, expected `leat query SQL [flags]`; see `leat query --help`"},
		{"leat", []string{"query", "--frob"}, "unknown flag: --frob; see `leat query --help`"},
		{"leat", []string{"query", "-o", "xml", "--api", ":::", "SELECT 1"}, `":::" is not the address of an API: write host:port or a URL`},
		{"leat", []string{"run", "nowhere.yaml"}, "nowhere.yaml: no such file"},
		{"leat", []string{"fleet", "token", "--uses", "0"}, "expected at least 1s and 1"},
		{"leat", []string{"fleet", "token", "--labels", "role"}, `--labels: "role" is not of the form key=value`},
		{"leat-cloud", []string{"--frob"}, "unknown flag: --frob; see `leat-cloud --help`"},
		{"leat-cloud", []string{"x"}, "unexpected argument \"x\"; see `leat-cloud --help`"},
		{"leat-agent", []string{"--config", "nowhere.yaml"}, "config file nowhere.yaml does not exist; configs/ has commented samples"},
	} {
		r := run(t, t.TempDir(), tt.program, tt.args...)
		oneLine(t, r, 2, tt.want)
	}
}
