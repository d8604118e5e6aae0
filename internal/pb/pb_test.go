package pb_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/internal/pb/pbtest"
	"github.com/leatio/leat/internal/pb/testpb"
)

const descriptors = "testpb/testdata/all.binpb"

func TestConform(t *testing.T) {
	pbtest.Load(t, descriptors).Conform(t, map[string]func() pb.Message{
		"All":   func() pb.Message { return new(testpb.All) },
		"Empty": func() pb.Message { return new(testpb.Empty) },
	})
}

// FuzzUnmarshal: any bytes are taken, or refused, just as google's runtime does.
func FuzzUnmarshal(f *testing.F) {
	file := pbtest.Load(f, descriptors)
	for _, m := range []*testpb.All{
		{Small: 3, Names: []string{"a", ""}, Packed: []uint32{1, 300}, Labels: map[string]string{"k": "v"}, Inner: &testpb.All{Far: -1}},
		{Choice: &testpb.All_AnAll{AnAll: &testpb.All{Reading: math.NaN(), Choice: &testpb.All_ABlob{}}}},
		{Sum: 1, At: -2, Blob: []byte{1}, Color: testpb.All_NEGATIVE, Choice: &testpb.All_AFlag{}},
	} {
		raw, err := pb.Append(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte{0x70, 5, 0x72, 1, 7})                               // packed numbers, each way
	f.Add([]byte{0x0a, 0})                                           // another wire type than the field's
	f.Add([]byte{0x0b, 0x10, 1, 0x0c})                               // a group
	f.Add([]byte{0x6a, 2, 0x10, 1, 0x6a, 2, 0x18, 1})                // a message twice: merged
	f.Add([]byte{0x82, 7, 2, 0x10, 1, 0x82, 7, 2, 0x18, 1})          // the same in a oneof
	f.Add([]byte{0x92, 1, 2, 0x0a, 0})                               // an entry without its value
	f.Add([]byte{0xf8, 0xff, 0xff, 0xff, 0x0f, 1})                   // largest field number
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x10, 1})                   // one above
	f.Add(append(bytes.Repeat([]byte{0x6a, 0x7f}, 3), 0x52, 1, 255)) // not UTF-8
	f.Fuzz(func(t *testing.T, src []byte) {
		var m testpb.All
		want := file.Dynamic(t, &m)
		errWant := proto.Unmarshal(src, want)
		err := pb.Unmarshal(src, &m)
		if (err == nil) != (errWant == nil) {
			t.Fatalf("%x: %v, google's runtime: %v", src, err, errWant)
		}
		if err != nil {
			return
		}
		raw, err := pb.Append(nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		got := file.Dynamic(t, &m)
		if err := proto.Unmarshal(raw, got); err != nil {
			t.Fatal(err)
		}
		forget(want)
		if !proto.Equal(want, got) {
			t.Fatalf("%x:\n%v\nbecame\n%v", src, want, got)
		}
		if c := pb.Clone(&m); !pb.Equal(c, &m) {
			t.Fatalf("the copy %v is not %v", c, &m)
		}
	})
}

// forget drops fields that are not known, as pb does.
func forget(m protoreflect.Message) {
	m.SetUnknown(nil)
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				forget(v.List().Get(i).Message())
			}
		case !f.IsMap() && f.Message() != nil:
			forget(v.Message())
		}
		return true
	})
}

func TestErrors(t *testing.T) {
	nested := new(testpb.All)
	for range pb.MaxDepth + 1 {
		nested = &testpb.All{Inner: nested}
	}
	deep, err := pb.Append(nil, nested)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		src  []byte
		want error
	}{
		"cut varint":       {[]byte{0x10, 0x80}, pb.ErrCorrupt},
		"cut fixed":        {[]byte{0x3d, 1, 2}, pb.ErrCorrupt},
		"cut bytes":        {[]byte{0x5a, 4, 1}, pb.ErrCorrupt},
		"cut packed":       {[]byte{0x72, 1, 0x80}, pb.ErrCorrupt},
		"cut inner":        {[]byte{0x6a, 1, 0x10}, pb.ErrCorrupt},
		"field 0":          {[]byte{0x00, 1}, pb.ErrCorrupt},
		"string":           {[]byte{0x52, 1, 0xff}, pb.ErrUTF8},
		"string of a list": {[]byte{0x7a, 1, 0xff}, pb.ErrUTF8},
		"key of a map":     {[]byte{0x92, 1, 3, 0x0a, 1, 0xff}, pb.ErrUTF8},
		"deep":             {deep, pb.ErrDepth},
	} {
		if err := pb.Unmarshal(c.src, new(testpb.All)); !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "All: ") {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	prefix := []byte("before")
	out, err := pb.Append(prefix, &testpb.All{Labels: map[string]string{"a": "\xff"}})
	if !errors.Is(err, pb.ErrUTF8) || string(out) != "before" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestAppendDelimited(t *testing.T) {
	for _, n := range []int{0, 1, 100, 127, 128, 20000} {
		m := &testpb.All{Name: strings.Repeat("x", n)}
		body, err := pb.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		want := append(append([]byte("before"), uvarint(len(body))...), body...)
		if got, err := pb.AppendDelimited([]byte("before"), m); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %x, %v, want %x", n, got, err, want)
		}
	}
}

func uvarint(n int) (out []byte) {
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

func TestEqual(t *testing.T) {
	a := &testpb.All{Labels: map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}, Inner: &testpb.All{}}
	b := pb.Clone(a)
	if !pb.Equal(a, b) || b.Inner == a.Inner || b.Inner == nil {
		t.Errorf("%v is copied to %v", a, b)
	}
	b.Inner = nil
	if pb.Equal(a, b) {
		t.Error("an empty message equals none")
	}
	if !pb.Equal((*testpb.All)(nil), &testpb.All{Names: []string{}}) {
		t.Error("a nil message is not empty")
	}
	if bad := (&testpb.All{Name: "\xff"}); !pb.Equal(bad, pb.Clone(bad)) {
		t.Error("a string that is not UTF-8 is not copied")
	}
}

// TestOwnBytes: the message keeps nothing of the bytes it was read from.
func TestOwnBytes(t *testing.T) {
	m := &testpb.All{Name: "name", Blob: []byte("blob"), Blobs: [][]byte{[]byte("blobs")}, Names: []string{"names"}, Labels: map[string]string{"k": "v"}}
	raw, err := pb.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	got := new(testpb.All)
	if err := pb.Unmarshal(raw, got); err != nil {
		t.Fatal(err)
	}
	clear(raw)
	if !pb.Equal(m, got) {
		t.Errorf("%v became %v", m, got)
	}
}

func TestGetters(t *testing.T) {
	var none *testpb.All
	if none.GetName() != "" || none.GetChoice() != nil || none.GetAnAll() != nil {
		t.Error("a nil message holds something")
	}
	m := &testpb.All{Name: "x", Choice: &testpb.All_AFar{AFar: -5}}
	if m.GetName() != "x" || m.GetAFar() != -5 || m.GetAnAll() != nil {
		t.Errorf("got %q, %d, %v", m.GetName(), m.GetAFar(), m.GetAnAll())
	}
	if s := testpb.All_NEGATIVE.String() + testpb.All_Color(7).String(); s != "NEGATIVE7" {
		t.Error(s)
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	raw, err := pb.Append(nil, &testpb.All{Name: "pipeline", Large: 1 << 40, Choice: &testpb.All_AnAll{AnAll: &testpb.All{Far: -1, Blob: make([]byte, 32)}}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := pb.Unmarshal(raw, new(testpb.All)); err != nil {
			b.Fatal(err)
		}
	}
}
