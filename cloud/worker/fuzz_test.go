package worker

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/leatio/leat/cloud/log/memory"
	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/transport/wire/columnar"
)

// plainPayload is a payload that is not compressed, so that the fuzzer sees the columns.
func plainPayload(body []byte) []byte {
	p := columnar.AppendPayload(nil, nil, nil)[:2]
	return append(p, body...)
}

func plainSection(port uint32, s batch.Schema, b *batch.Batch) []byte {
	body := binary.AppendUvarint([]byte{1}, uint64(port))
	return columnar.Append(body, s, b)
}

// FuzzApply gives a worker the payload that an agent sent: the partition always goes
// on, what it gives the tables is valid, and its checkpoint restores.
func FuzzApply(f *testing.F) {
	rows, err := compile.Compile([]byte(`
name: rows
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, temp: double, raw: bytes}
steps:
  - where: temp > 1
sinks:
  - table: {name: t}
`), compile.Options{File: "r.yaml", PipelineID: "rows-1", Version: 1})
	if err != nil {
		f.Fatal(err)
	}
	windows, err := compile.Compile([]byte(goldenFile), compile.Options{File: "t.yaml", PipelineID: "climate-1", Version: 1})
	if err != nil {
		f.Fatal(err)
	}
	c := goldenCheckpoint(f)
	f.Add(c.Pipelines[0].Sections[0].Payload[2:], int64(5), false)
	for i, p := range []*plan.Plan{windows, rows} {
		for _, port := range []uint32{0, engine.RejectsPort} {
			s := engine.PortSchema(p, port)
			b := batch.New(s)
			for range 3 {
				for k := range b.Cols {
					b.Cols[k].AppendNull()
				}
				b.N++
			}
			f.Add(plainSection(port, s, b), int64(0), i > 0)
			for k := range b.Cols { // the same with values
				b.Cols[k].Valid = nil
				if b.Cols[k].Type == batch.String {
					b.Cols[k].Dict = batch.NewDict()
					b.Cols[k].Dict.CodeString("a")
				}
				if s[k].Name == plan.SliceEnd {
					b.Cols[k].Ints = []int64{10_000_000, 10_000_000, 10_000_000}
				}
			}
			f.Add(plainSection(port, s, b), int64(60_000_000), i > 0)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, watermark int64, plain bool) {
		p := windows
		if plain {
			p = rows
		}
		fresh := func() *state {
			return newState(3, onePlan{p}, func(p *plan.Plan, cfg engine.CloudConfig) (*engine.Cloud, error) {
				return engine.NewCloud(p, cfg)
			})
		}
		s := fresh()
		e := record.Entry{Agent: "gw-1", Epoch: 1, Pipeline: p.PipelineId, Version: 1, From: 1, To: 1, Watermark: watermark, Payload: plainPayload(body)}
		again := e
		again.From, again.To = 2, 2
		r, err := record.Parse(record.Append(nil, &record.Record{Kind: record.KindBundle, Entries: []record.Entry{e, again}}))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.apply(1, r); err != nil {
			t.Fatalf("a payload stops the partition: %v", err)
		}
		for _, w := range s.out.take() {
			if err := w.Validate(); err != nil {
				t.Fatalf("the tables would refuse what came of it: %v", err)
			}
		}
		want, err := s.snapshot(true)
		if err != nil {
			t.Fatal(err)
		}
		back := fresh()
		if err := back.restore(want); err != nil {
			t.Fatal(err)
		}
		back.resume()
		got, err := back.snapshot(true)
		if err != nil || !pb.Equal(got, want) {
			t.Fatalf("restored (%v)\n%v\nwant\n%v", err, got, want)
		}
	})
}

// FuzzManifest gives a worker a stored manifest: one that is taken can be claimed,
// takes another checkpoint and is the same once it is read again.
func FuzzManifest(f *testing.F) {
	for _, m := range []*Manifest{
		{},
		{Partition: 3},
		{Format: 1, Partition: 3, OwnerEpoch: 5, NextObject: 2, TrimBelow: 7, Objects: []*ObjectRef{
			{Name: "checkpoints/0003/5-0", Offset: 7, Bytes: 400, Full: true}, {Name: "checkpoints/0003/5-1", Offset: 99, Bytes: 120},
		}},
		{Partition: 3, OwnerEpoch: 1<<64 - 1, Objects: []*ObjectRef{{}, {Name: "../x", Bytes: 1<<64 - 1}}},
	} {
		body, err := pb.Append(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, true)
	}
	f.Add([]byte{2 << 3, 0}, true) // a partition that is there, and 0: was taken for none
	f.Fuzz(func(t *testing.T, body []byte, full bool) {
		env := append([]byte{'L', 'C', CheckpointFormat, 0, 0, 0, 0, 0}, body...)
		binary.LittleEndian.PutUint32(env[4:], crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
		ctx := t.Context()
		backend := memory.New(memory.Config{})
		s := &store{partition: 3, keys: backend, objects: backend}
		if _, err := backend.Put(ctx, s.key(), env, 0); err != nil {
			t.Fatal(err)
		}
		if err := s.load(ctx); err != nil {
			return
		}
		before := s.manifest.OwnerEpoch
		epoch, err := s.claim(ctx)
		if err != nil || epoch != before+1 {
			t.Fatalf("claimed as %d after %d: %v", epoch, before, err)
		}
		s.wantsFull()
		if err := s.publish(ctx, &Checkpoint{Format: CheckpointFormat, Partition: 3, Offset: 5, Full: full}); err != nil {
			return // the name of an older object may not be one
		}
		again := &store{partition: 3, keys: backend, objects: backend}
		if err := again.load(ctx); err != nil || !pb.Equal(again.manifest, s.manifest) {
			t.Fatalf("read again (%v)\n%v\nwant\n%v", err, again.manifest, s.manifest)
		}
	})
}
