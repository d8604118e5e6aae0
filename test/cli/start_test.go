package cli

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/test/proc"
)

// stopTime is how long Ctrl-C may take, by the contract with users.
const stopTime = 3 * time.Second

// node is a running leat-cloud on ports that were free.
type node struct {
	*proc.Process
	dir string
	api string
}

var apiAddress = regexp.MustCompile(`msg="cloud node running" .*api=(\S+)`)

func startNode(t *testing.T) *node {
	t.Helper()
	n := &node{dir: t.TempDir()}
	n.Process = proc.Start(t, "leat-cloud", command(t, n.dir, "leat-cloud", "--data-dir", "data", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"))
	n.Says(t, patience, "cloud node running")
	n.api = apiAddress.FindStringSubmatch(n.Output())[1]
	return n
}

// token mints a token and tells when it expires.
func (n *node) token(t *testing.T, args ...string) (token string, expires time.Time) {
	t.Helper()
	r := run(t, n.dir, "leat", append([]string{"--api", n.api, "fleet", "token", "-o", "json"}, args...)...)
	var answer struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires"`
	}
	if err := json.Unmarshal([]byte(r.Out), &answer); err != nil || r.Code != 0 {
		t.Fatalf("%v %d %s%s", err, r.Code, r.Out, r.Err)
	}
	return answer.Token, answer.Expires
}

// join runs an agent that cannot join.
func join(t *testing.T, token string) proc.Result {
	t.Helper()
	cmd := command(t, t.TempDir(), "leat-agent", "--data-dir", "data", "--name", "gateway")
	cmd.Env = append(cmd.Env, "LEAT_TOKEN="+token)
	return proc.Run(t, patience, cmd)
}

func TestTokens(t *testing.T) {
	n := startNode(t)
	t.Run("none", func(t *testing.T) {
		oneLine(t, join(t, ""), 1, "has not joined a fleet and has no token; get one with `leat fleet token`")
	})
	t.Run("garbage", func(t *testing.T) {
		oneLine(t, join(t, "garbage"), 1, "not a whole join token; copy it again or make one with `leat fleet token`")
	})
	t.Run("cut off", func(t *testing.T) {
		token, _ := n.token(t)
		oneLine(t, join(t, token[:len(token)-7]), 1, "not a whole join token; copy it again or make one with `leat fleet token`")
	})
	t.Run("of another node", func(t *testing.T) {
		other := startNode(t)
		token, _ := other.token(t)
		if err := os.RemoveAll(filepath.Join(other.dir, "data")); err != nil {
			t.Fatal(err)
		}
		other.Stop(patience)
		oneLine(t, join(t, token), 1, "nobody answers at 127.0.0.1:", "check the address and port, that leat-cloud runs there, and that UDP gets through")
	})
	t.Run("expired", func(t *testing.T) {
		token, expires := n.token(t, "--life", "1s")
		proc.Wait(t, patience, "end of the token's life", func() (bool, string) { return time.Now().After(expires), "" })
		oneLine(t, join(t, token), 1, "the join token has expired; make a new one with `leat fleet token`")
	})
	t.Run("used up", func(t *testing.T) {
		token, _ := n.token(t)
		cmd := command(t, t.TempDir(), "leat-agent", "--data-dir", "data", "--name", "first", "--token", token)
		proc.Start(t, "leat-agent", cmd).Says(t, patience, "agent running")
		oneLine(t, join(t, token), 1, "the join token is used up; make a new one with `leat fleet token` (--uses for several agents)")
	})
	t.Run("wrong wishes", func(t *testing.T) {
		oneLine(t, run(t, n.dir, "leat", "--api", n.api, "fleet", "token", "--name", "a b"), 1, `bad agent id "a b"`)
		oneLine(t, run(t, n.dir, "leat", "--api", n.api, "fleet", "token", "--labels", "a b=c"), 1, `label "a b" with value "c": both have 1 to 63 letters`)
	})
}

func TestNoNodeAnswers(t *testing.T) {
	n := startNode(t)
	if code, took := n.Stop(patience); code != 0 || took > stopTime {
		t.Errorf("stopped with exit code %d after %s", code, took)
	}
	for _, args := range [][]string{{"get"}, {"query", "SELECT 1"}, {"fleet", "ls"}, {"apply", example("greenhouse", "pipeline.yaml")}} {
		r := run(t, n.dir, "leat", append([]string{"--api", n.api}, args...)...)
		oneLine(t, r, 1, "no cloud node answers at http://"+n.api, "connection refused", "start one with `leat up` or `leat-cloud`, or name its address with --api or LEAT_API")
	}
}

func TestAnswersOfTheNode(t *testing.T) {
	n := startNode(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"get", "nothing"}, "pipeline \"nothing\": not found; `leat get` lists those there are"},
		{[]string{"delete", "nothing"}, "pipeline \"nothing\": not found; `leat get` lists those there are"},
		{[]string{"query", "SELECT * FROM nowhere"}, "no such table: nowhere (1); there are late, rejects"},
		{[]string{"query", "DELETE FROM rejects"}, "queries only read: begin with SELECT, WITH, VALUES or EXPLAIN"},
	} {
		oneLine(t, run(t, n.dir, "leat", append([]string{"--api", n.api}, tt.args...)...), 1, tt.want)
	}
}

func TestAddressesThatAreTaken(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = tcp.Close(), udp.Close() }()
	dir := t.TempDir()
	r := run(t, dir, "leat-cloud", "--data-dir", "data", "--api", tcp.Addr().String(), "--listen", "127.0.0.1:0")
	oneLine(t, r, 1, tcp.Addr().String(), "address already in use; stop what holds the address, or set `api` (--api) to a free one")
	r = run(t, dir, "leat-cloud", "--data-dir", "data", "--api", "127.0.0.1:0", "--listen", udp.LocalAddr().String())
	oneLine(t, r, 1, udp.LocalAddr().String(), "address already in use; stop what holds the address, or set `listen` (--listen) to a free one")
}

func TestDirectoriesInUse(t *testing.T) {
	n := startNode(t)
	r := run(t, n.dir, "leat-cloud", "--data-dir", "data", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0")
	oneLine(t, r, 1, "another process (pid ", "stop that process or use another directory")
	token, _ := n.token(t)
	cmd := command(t, n.dir, "leat-agent", "--data-dir", "agent", "--name", "gateway", "--token", token)
	proc.Start(t, "leat-agent", cmd).Says(t, patience, "agent running")
	oneLine(t, run(t, n.dir, "leat-agent", "--data-dir", "agent"), 1, "is held by process ", "stop it or use another directory")
}

func TestPartitionsCannotChange(t *testing.T) {
	n := startNode(t)
	n.Stop(patience)
	cmd := command(t, n.dir, "leat-cloud", "--data-dir", "data", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0")
	cmd.Env = append(cmd.Env, "LEAT_PARTITIONS=4")
	oneLine(t, proc.Run(t, patience, cmd), 1, "partitions is 4, but this data directory was made with 16, which cannot change: set it back, or start with an empty directory")
}

// starts are the programs that make a data directory.
func starts(t *testing.T, dataDir string) map[string]*exec.Cmd {
	return map[string]*exec.Cmd{
		"leat-cloud": command(t, t.TempDir(), "leat-cloud", "--data-dir", dataDir, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"),
		"leat-agent": command(t, t.TempDir(), "leat-agent", "--data-dir", dataDir, "--token", "x"),
		"leat up":    command(t, t.TempDir(), "leat", "up", "--data-dir", dataDir),
	}
}

func TestDirectoriesThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cmd := range starts(t, filepath.Join(file, "data")) {
		r := proc.Run(t, patience, cmd)
		oneLine(t, r, 1, "data directory "+file+"/data: ", "not a directory; name another directory: data_dir in the config, or --data-dir")
		if r.Out != "" {
			t.Errorf("%s said %q", name, r.Out)
		}
	}
}

// A disk without room, as a small file system that only this test sees.
func TestFullDisk(t *testing.T) {
	if !proc.OwnNetwork() {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	t.Cleanup(func() {
		if err := exec.Command("umount", dir).Run(); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 256<<10), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	for name, cmd := range starts(t, filepath.Join(dir, "data")) {
		r := proc.Run(t, patience, cmd)
		oneLine(t, r, 1, dir, "no space left on device", "the disk is full: free some")
		if r.Out != "" {
			t.Errorf("%s said %q", name, r.Out)
		}
	}
}

// A dead broker is told once with the next step; Ctrl-C ends the wait without an error.
func TestDeadBroker(t *testing.T) {
	dir := t.TempDir()
	pipeline := strings.NewReplacer("tcp://127.0.0.1:1883", "tcp://127.0.0.1:1", "../udf/", filepath.Join(proc.Root(), "examples/udf")+"/").
		Replace(read(t, example("greenhouse", "pipeline.yaml")))
	if err := os.WriteFile(filepath.Join(dir, "pipeline.yaml"), []byte(pipeline), 0o600); err != nil {
		t.Fatal(err)
	}
	const dead = "connection refused: nothing listens at 127.0.0.1:1: start the broker or correct source.mqtt.broker"
	p := proc.Start(t, "leat run", command(t, dir, "leat", "run", "pipeline.yaml"))
	p.Says(t, patience, "leat: mqtt broker tcp://127.0.0.1:1: "+dead)
	if code, _ := p.Stop(patience); code != 0 {
		t.Errorf("Ctrl-C gave exit code %d", code)
	}

	n := startNode(t)
	token, _ := n.token(t)
	agent := proc.Start(t, "leat-agent", command(t, n.dir, "leat-agent", "--data-dir", "agent", "--name", "gateway", "--token", token))
	agent.Says(t, patience, "connected to the cloud")
	if r := run(t, dir, "leat", "--api", n.api, "apply", "pipeline.yaml"); r.Code != 0 {
		t.Fatal(r)
	}
	agent.Says(t, patience, dead)
	proc.Wait(t, patience, "reason in the fleet's list", func() (bool, string) {
		r := run(t, dir, "leat", "--api", n.api, "fleet", "ls")
		return strings.Contains(r.Out, "greenhouse: running, source: ") && strings.Contains(r.Out, dead), r.Out
	})
}

// An agent that has joined goes on without the cloud and says so.
func TestDeadCloud(t *testing.T) {
	n := startNode(t)
	token, _ := n.token(t)
	agent := proc.Start(t, "leat-agent", command(t, n.dir, "leat-agent", "--data-dir", "agent", "--name", "gateway", "--token", token))
	agent.Says(t, patience, "connected to the cloud")
	n.Stop(patience)
	agent.Says(t, patience, "no session with the cloud; frames wait in the outbox")
	select {
	case <-agent.Ended():
		t.Error("the agent ended")
	default:
	}
	if code, took := agent.Stop(patience); code != 0 || took > stopTime {
		t.Errorf("stopped with exit code %d after %s", code, took)
	}
}

// Two gateways with one host name: the second is told, the first is left alone.
func TestANameThatIsTaken(t *testing.T) {
	n := startNode(t)
	token, _ := n.token(t, "--uses", "2")
	cmd := command(t, n.dir, "leat-agent", "--data-dir", "agent", "--name", "gateway", "--token", token)
	first := proc.Start(t, "leat-agent", cmd)
	first.Says(t, patience, "connected to the cloud")
	oneLine(t, join(t, token), 1, "gateway is a member of the fleet already: give this agent another name (name in its config), or, if it has lost its data directory, mint a token for it: leat fleet token --name gateway")
	again, _ := n.token(t, "--name", "gateway")
	cmd = command(t, t.TempDir(), "leat-agent", "--data-dir", "data", "--token", again)
	proc.Start(t, "leat-agent", cmd).Says(t, patience, "connected to the cloud")
	first.Stop(patience)
	cmd = command(t, n.dir, "leat-agent", "--data-dir", "agent", "--name", "gateway")
	proc.Start(t, "leat-agent", cmd).Says(t, patience, "the id joined again elsewhere; empty the data directory and join with another name")
}
