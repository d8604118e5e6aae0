package worker

import (
	"bytes"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/transport/wire/columnar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const goldenFile = `
name: climate
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double}
  event_time: {column: ts}
steps:
  - window: {by: [device], tumbling: 10s, allowed_lateness: 1m, emit: {n: count(*), temp_avg: avg(temp)}}
sinks:
  - table: {name: t}
`

type onePlan struct{ p *plan.Plan }

func (o onePlan) Plan(id string, version uint64) (*plan.Plan, error) {
	if id != o.p.PipelineId || version != o.p.Version {
		return nil, ErrNoPlan
	}
	return o.p, nil
}

func goldenState(t testing.TB) *state {
	t.Helper()
	p, err := compile.Compile([]byte(goldenFile), compile.Options{File: "t.yaml", PipelineID: "climate-1", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	return newState(3, onePlan{p}, func(p *plan.Plan, cfg engine.CloudConfig) (*engine.Cloud, error) {
		return engine.NewCloud(p, cfg)
	})
}

// goldenCheckpoint is a state with two windows of two devices, made by hand.
func goldenCheckpoint(t testing.TB) *Checkpoint {
	t.Helper()
	s := goldenState(t)
	p, err := s.pipeline(pipelineKey{"climate-1", 1})
	if err != nil {
		t.Fatal(err)
	}
	schema := engine.PortSchema(p.plan, 0)
	b := batch.New(schema)
	for i := range 4 {
		for c := range b.Cols {
			col := &b.Cols[c]
			switch schema[c].Type {
			case batch.String:
				if col.Dict == nil {
					col.Dict = batch.NewDict()
				}
				col.Codes = append(col.Codes, col.Dict.CodeString([]string{"dev-1", "dev-2"}[i%2]))
			case batch.Timestamp:
				at := int64(1_700_000_000_000_000 + 10_000_000*(i/2))
				if schema[c].Name == plan.SliceEnd {
					at += 10_000_000
				}
				col.Ints = append(col.Ints, at)
			case batch.Double:
				col.Doubles = append(col.Doubles, float64(i)*21.5)
			case batch.Bytes:
				col.AppendBlob(nil)
			default:
				col.Ints = append(col.Ints, int64(i+1))
			}
		}
		b.N++
	}
	if err := p.cloud.Apply(0, b); err != nil {
		t.Fatal(err)
	}
	e := record.Entry{Agent: "gw-1", Epoch: 1, Pipeline: "climate-1", Version: 1, From: 42, To: 42, Sum: 0xfeedbeef, Watermark: 1_700_000_011_000_000}
	p.roster.advance(LaneKey{"gw-1", 1, "climate-1", 1, 0}, &e)
	p.roster.set(agentKey{"gw-2", 1}, record.Expected)
	p.roster.set(agentKey{"gw-2", 1}, record.Passed)
	s.agents["gw-1"], s.owner, s.offset, s.checksum = 1, 5, 99, 0x12345678
	if err := s.advance(p); err != nil {
		t.Fatal(err)
	}
	c, err := s.snapshot(true)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGoldenCheckpoints(t *testing.T) {
	messages := map[string]pb.Message{
		"checkpoint": goldenCheckpoint(t),
		"manifest": &Manifest{Format: 1, Partition: 3, OwnerEpoch: 5, NextObject: 2, TrimBelow: 7, Objects: []*ObjectRef{
			{Name: "checkpoints/0003/5-0", Offset: 7, Bytes: 400, Full: true}, {Name: "checkpoints/0003/5-1", Offset: 99, Bytes: 120},
		}},
	}
	for name, m := range messages {
		got, err := AppendEnvelope(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".bin")
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the bytes differ from the golden file: %x, want %x", name, got, want)
		}
		back := map[string]pb.Message{"checkpoint": new(Checkpoint), "manifest": new(Manifest)}[name]
		if err := ParseEnvelope(want, back); err != nil {
			t.Fatal(err)
		}
		if !pb.Equal(back, m) {
			t.Errorf("%s: read back %v", name, back)
		}
	}
}

// What a golden checkpoint restores gives the same checkpoint again.
func TestGoldenCheckpointRestores(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "checkpoint.bin"))
	if err != nil {
		t.Fatal(err)
	}
	c := new(Checkpoint)
	if err := ParseEnvelope(want, c); err != nil {
		t.Fatal(err)
	}
	s := goldenState(t)
	if err := s.restore(c); err != nil {
		t.Fatal(err)
	}
	s.resume()
	again, err := s.snapshot(true)
	if err != nil {
		t.Fatal(err)
	}
	if !pb.Equal(again, c) {
		t.Errorf("snapshot after restore is\n%v\nwant\n%v", again, c)
	}
}

func TestDamagedEnvelopesAreRefused(t *testing.T) {
	good, err := AppendEnvelope(nil, goldenCheckpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		if err := ParseEnvelope(bad, new(Checkpoint)); err == nil {
			t.Fatalf("byte %d flipped: accepted", i)
		}
		if err := ParseEnvelope(good[:i], new(Checkpoint)); err == nil {
			t.Fatalf("cut to %d bytes: accepted", i)
		}
	}
}

// Arbitrary checkpoints are refused or restored, and never panic.
func FuzzRestore(f *testing.F) {
	c := goldenCheckpoint(f)
	seed, err := pb.Append(nil, c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, body []byte) {
		env := append([]byte{'L', 'C', CheckpointFormat, 0, 0, 0, 0, 0}, body...)
		sum := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
		env[4], env[5], env[6], env[7] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		c := new(Checkpoint)
		if ParseEnvelope(env, c) != nil {
			return
		}
		s := goldenState(t)
		s.limits = columnar.Limits{MaxRows: 1 << 16, MaxBytes: 1 << 20}
		if s.restore(c) != nil {
			return
		}
		s.resume()
		if _, err := s.snapshot(true); err != nil {
			t.Fatalf("what was restored gives no snapshot: %v", err)
		}
	})
}
