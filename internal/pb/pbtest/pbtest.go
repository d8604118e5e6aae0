// Package pbtest holds generated messages against google.golang.org/protobuf,
// and gives and reads their text form. Only tests use it.
package pbtest

import (
	"math/rand/v2"
	"os"
	"regexp"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/leatio/leat/internal/pb"
)

// File is the descriptors of one .proto file.
type File struct{ desc protoreflect.FileDescriptor }

// Load reads the descriptors that pbgen wrote.
func Load(t testing.TB, path string) File {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(raw, set); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var f File
	files.RangeFiles(func(d protoreflect.FileDescriptor) bool {
		f.desc = d
		return true
	})
	return f
}

// Dynamic returns an empty message of the same name as m for google's runtime.
func (f File) Dynamic(t testing.TB, m pb.Message) *dynamicpb.Message {
	t.Helper()
	d := f.desc.Messages().ByName(protoreflect.Name(m.ProtoName()))
	if d == nil {
		t.Fatalf("%s has no message %s", f.desc.Path(), m.ProtoName())
	}
	return dynamicpb.NewMessage(d)
}

// fieldSpaces: prototext varies its spaces at random, so that nobody relies on them.
var fieldSpaces = regexp.MustCompile(`(?m)^( *[a-z_0-9]+):  ?`)

// Text gives the text form.
func (f File) Text(t testing.TB, m pb.Message) []byte {
	t.Helper()
	raw, err := pb.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	dynamic := f.Dynamic(t, m)
	if err := proto.Unmarshal(raw, dynamic); err != nil {
		t.Fatal(err)
	}
	text, err := prototext.MarshalOptions{Multiline: true, Indent: "  "}.Marshal(dynamic)
	if err != nil {
		t.Fatal(err)
	}
	return fieldSpaces.ReplaceAll(text, []byte("$1: "))
}

// FromText reads the text form into m, which is empty.
func (f File) FromText(t testing.TB, text []byte, m pb.Message) {
	t.Helper()
	dynamic := f.Dynamic(t, m)
	if err := prototext.Unmarshal(text, dynamic); err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(dynamic)
	if err != nil {
		t.Fatal(err)
	}
	if err := pb.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
}

// Conform checks every message of the file with random contents: what google's
// runtime writes is read, and written so that the other reads the same. empty
// makes an empty message by name.
func (f File) Conform(t *testing.T, empty map[string]func() pb.Message) {
	t.Helper()
	messages := f.desc.Messages()
	for i := range messages.Len() {
		name := string(messages.Get(i).Name())
		t.Run(name, func(t *testing.T) {
			newMessage := empty[name]
			if newMessage == nil {
				t.Fatal("the test has no such message")
			}
			for seed := range uint64(100) {
				m := newMessage()
				want := f.Dynamic(t, m)
				fill(rand.New(rand.NewPCG(seed, 1)), want, 3)
				same(t, seed, want, m)
			}
		})
	}
}

func same(t *testing.T, seed uint64, want *dynamicpb.Message, m pb.Message) {
	t.Helper()
	raw, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := pb.Unmarshal(raw, m); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	written, err := pb.Append(nil, m)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	got := dynamicpb.NewMessage(want.Descriptor())
	if err := proto.Unmarshal(written, got); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if !proto.Equal(want, got) {
		t.Fatalf("seed %d:\n%v\nbecame\n%v", seed, want, got)
	}
}

// fill sets fields at random, with messages up to a depth.
func fill(r *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if r.IntN(3) == 0 || f.Message() != nil && depth == 0 {
			continue
		}
		switch {
		case f.IsMap():
			for range r.IntN(4) {
				m.Mutable(f).Map().Set(value(r, f.MapKey()).MapKey(), value(r, f.MapValue()))
			}
		case f.IsList():
			list := m.Mutable(f).List()
			for range r.IntN(4) {
				if f.Message() != nil {
					fill(r, list.AppendMutable().Message(), depth-1)
				} else {
					list.Append(value(r, f))
				}
			}
		case f.Message() != nil:
			fill(r, m.Mutable(f).Message(), depth-1)
		default:
			m.Set(f, value(r, f))
		}
	}
}

func value(r *rand.Rand, f protoreflect.FieldDescriptor) protoreflect.Value {
	n := r.Uint64() >> r.IntN(64)
	if r.IntN(4) == 0 {
		n = -n
	}
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n%2 == 0)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(n)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n % 3))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(int64(n)) / 8)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString([]string{"", "a", "Grüße", "b"}[n%4])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([][]byte{{}, {0}, {255, 254}}[n%3])
	}
	return protoreflect.ValueOfInt64(int64(n))
}
