// Package testpb is generated from a .proto file that holds everything that pbgen
// knows. Only tests use it.
package testpb

//go:generate go run github.com/leatio/leat/internal/pb/pbgen all.proto
