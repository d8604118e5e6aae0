// Package pb is the part of protobuf that Leat's own messages use: what the code
// that pbgen generates from a .proto file calls. The bytes are protobuf 3; the
// Go side is plain structs with two methods each, no descriptors and no
// reflection.
//
//	.proto ──pbgen──► X.pb.go   struct, WriteProto, ReadProto, getters
//	       └────────► testdata/X.binpb, the descriptors, only for tests (pbtest)
//
// The runtime of google.golang.org/protobuf costs 1.5 MB of the agent's 15;
// docs/rationale.md has the figures. Tests hold this package against it.
//
// Encoding: fields in the order of their numbers, then the members of oneofs, map entries by key, repeated numbers packed, zero values left out. Equal messages
// give equal bytes. Decoding: as protobuf asks for; fields that are not known, or of another wire
// type, are passed over and not kept. Strings have to be UTF-8 both ways.
package pb
