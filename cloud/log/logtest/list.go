package logtest

import (
	"context"
	"slices"
	"testing"
)

func expectList(t *testing.T, list func(context.Context, string) ([]string, error), prefix string, want []string) {
	t.Helper()
	got, err := list(bounded(t), prefix)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("names that begin with %q: got %q, want %q", prefix, got, want)
	}
}
