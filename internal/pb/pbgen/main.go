// Command pbgen generates plain Go structs with the methods of pb.Message from a
// .proto file, X.pb.go beside it, and its descriptors in testdata/X.binpb for
// tests. It runs protoc, which reads the file. It knows what Leat's files use, and
// refuses the rest.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	flag.Usage = func() { fmt.Fprintln(os.Stderr, "usage: pbgen X.proto (in the folder of the file)") }
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "pbgen:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	set, err := describe(file)
	if err != nil {
		return err
	}
	plugin, err := protogen.Options{}.New(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{file}, Parameter: proto.String("paths=source_relative"), ProtoFile: set.File,
	})
	if err != nil {
		return err
	}
	for _, f := range plugin.Files {
		if f.Generate {
			generateFile(plugin, f)
		}
	}
	response := plugin.Response()
	if response.Error != nil {
		return fmt.Errorf("%s: %s", file, *response.Error)
	}
	for _, out := range response.File {
		if err := os.WriteFile(out.GetName(), []byte(out.GetContent()), 0o644); err != nil {
			return err
		}
	}
	for _, f := range set.File {
		f.SourceCodeInfo = nil
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("testdata", strings.TrimSuffix(file, ".proto")+".binpb"), raw, 0o644)
}

// describe lets protoc read the file.
func describe(file string) (*descriptorpb.FileDescriptorSet, error) {
	out, err := os.CreateTemp("", "pbgen")
	if err != nil {
		return nil, err
	}
	_ = out.Close() // only its name counts
	defer func() { _ = os.Remove(out.Name()) }()
	cmd := exec.Command("protoc", "--include_source_info", "--descriptor_set_out="+out.Name(), file)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("protoc %s: %w; apt-get install protobuf-compiler", file, err)
	}
	raw, err := os.ReadFile(out.Name())
	if err != nil {
		return nil, err
	}
	set := new(descriptorpb.FileDescriptorSet)
	return set, proto.Unmarshal(raw, set)
}
