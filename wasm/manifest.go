package wasm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/leatio/leat/engine/batch"
)

// Kind is what a function makes of a batch.
type Kind string

// The kinds of ABI version 1. This host calls scalar functions.
const (
	Scalar    Kind = "scalar"    // columns to one column
	Table     Kind = "table"     // batch to batch of another shape
	Aggregate Kind = "aggregate" // update, merge, finish
	Keyed     Kind = "keyed"     // rows by key, with state and timers
)

// Manifest is what a module says of itself.
type Manifest struct {
	Name               string
	Version            string // semantic version
	StateVersion       int
	ReadsStateVersions []int
	Functions          []FunctionSpec
}

// FunctionSpec is one function of a manifest.
type FunctionSpec struct {
	ID        uint32
	Name      string
	Kind      Kind
	CallNulls bool // "nulls": "call": the guest is given rows with null arguments
	Args      []batch.Field
	Result    batch.Type    // scalar, aggregate
	Columns   []batch.Field // table, keyed
}

// Bounds of a manifest.
const (
	maxManifest  = 64 << 10 // bytes
	maxFunctions = 64
	maxFields    = 64 // arguments or columns of a function
)

// The manifest's JSON.
type (
	manifestJSON struct {
		ABI                int            `json:"abi"`
		Name               string         `json:"name"`
		Version            string         `json:"version"`
		StateVersion       int            `json:"state_version"`
		ReadsStateVersions []int          `json:"reads_state_versions"`
		Functions          []functionJSON `json:"functions"`
	}
	functionJSON struct {
		ID      *uint32     `json:"id"`
		Name    string      `json:"name"`
		Kind    Kind        `json:"kind"`
		Nulls   string      `json:"nulls"`
		Args    []fieldJSON `json:"args"`
		Result  *fieldJSON  `json:"result"`
		Columns []fieldJSON `json:"columns"`
	}
	fieldJSON struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
)

// faults gathers all that is wrong with a manifest.
type faults struct{ errs []error }

func (f *faults) addf(format string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf("manifest: "+format, args...))
}

// ParseManifest reads and checks a manifest. The error names every mistake.
func ParseManifest(text []byte) (*Manifest, error) {
	if len(text) > maxManifest {
		return nil, fmt.Errorf("manifest: it has %d bytes; at most %d are allowed", len(text), maxManifest)
	}
	var raw manifestJSON
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&raw); err != nil {
		return nil, fmt.Errorf("manifest: at byte %d: %w", d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("manifest: at byte %d: something follows the JSON object", d.InputOffset())
	}
	var f faults
	m := raw.check(&f)
	if len(f.errs) > 0 {
		return nil, errors.Join(f.errs...)
	}
	return m, nil
}

func (raw *manifestJSON) check(f *faults) *Manifest {
	if raw.ABI != 1 {
		f.addf(`"abi" is %d; this host speaks version 1`, raw.ABI)
	}
	if !moduleName.MatchString(raw.Name) {
		f.addf(`"name" is %.80q; a name has 1 to 64 lower-case letters, digits, - and _, and begins with a letter`, raw.Name)
	}
	if len(raw.Version) > 64 || !semver.MatchString(raw.Version) {
		f.addf(`"version" is %.80q; a semantic version such as 1.2.0 was expected`, raw.Version)
	}
	if raw.StateVersion < 0 {
		f.addf(`"state_version" is %d; it cannot be negative`, raw.StateVersion)
	}
	if n := len(raw.Functions); n == 0 || n > maxFunctions {
		f.addf(`"functions" has %d entries; 1 to %d are allowed`, n, maxFunctions)
		return nil
	}
	m := &Manifest{Name: raw.Name, Version: raw.Version, StateVersion: raw.StateVersion, ReadsStateVersions: raw.ReadsStateVersions}
	names, ids := map[string]bool{}, map[uint32]bool{}
	for i := range raw.Functions {
		spec := raw.Functions[i].check(f)
		if names[spec.Name] {
			f.addf("two functions are named %s", spec.Name)
		}
		if ids[spec.ID] && raw.Functions[i].ID != nil {
			f.addf("two functions have the id %d", spec.ID)
		}
		names[spec.Name], ids[spec.ID] = true, true
		m.Functions = append(m.Functions, spec)
	}
	return m
}

func (raw *functionJSON) check(f *faults) FunctionSpec {
	s := FunctionSpec{Name: raw.Name, Kind: raw.Kind, CallNulls: raw.Nulls == "call"}
	if !sqlName.MatchString(raw.Name) {
		f.addf("a function is named %.80q; a name has 1 to 64 lower-case letters, digits and _, and begins with a letter", raw.Name)
	}
	if raw.ID == nil || *raw.ID > 1<<31-1 {
		f.addf(`function %.64s: "id" is missing or too large; each function has a number from 0 to 2147483647`, raw.Name)
	} else {
		s.ID = *raw.ID
	}
	s.Args = checkFields(f, raw.Name, "argument", raw.Args)
	switch raw.Kind {
	case Scalar, Aggregate:
		s.Result = raw.checkResult(f)
	case Table, Keyed:
		s.Columns = checkFields(f, raw.Name, "column", raw.Columns)
		if len(raw.Columns) == 0 {
			f.addf(`function %.64s: a %s function needs "columns"`, raw.Name, raw.Kind)
		}
	default:
		f.addf(`function %.64s: "kind" is %.80q; scalar, table, aggregate and keyed exist`, raw.Name, raw.Kind)
	}
	switch {
	case raw.Nulls != "" && raw.Kind != Scalar:
		f.addf(`function %.64s: "nulls" is for scalar functions only`, raw.Name)
	case raw.Nulls != "" && raw.Nulls != "propagate" && raw.Nulls != "call":
		f.addf(`function %.64s: "nulls" is %.80q; propagate (the default) and call exist`, raw.Name, raw.Nulls)
	}
	return s
}

func (raw *functionJSON) checkResult(f *faults) batch.Type {
	if raw.Result == nil {
		f.addf(`function %.64s: a %s function needs a "result"`, raw.Name, raw.Kind)
		return 0
	}
	if len(raw.Columns) > 0 {
		f.addf(`function %.64s: a %s function has a "result", not "columns"`, raw.Name, raw.Kind)
	}
	t, ok := batch.ParseType(raw.Result.Type)
	if !ok {
		f.addf("function %.64s: the result's type is %.80q; %s exist", raw.Name, raw.Result.Type, typeNames)
	}
	return t
}

func checkFields(f *faults, function, what string, raw []fieldJSON) []batch.Field {
	if len(raw) > maxFields {
		f.addf("function %.64s: it has %d %ss; at most %d are allowed", function, len(raw), what, maxFields)
		return nil
	}
	seen := map[string]bool{}
	var fields []batch.Field
	for _, r := range raw {
		t, ok := batch.ParseType(r.Type)
		if !ok {
			f.addf("function %.64s: %s %.64q has type %.80q; %s exist", function, what, r.Name, r.Type, typeNames)
		}
		if !sqlName.MatchString(r.Name) || seen[r.Name] {
			f.addf("function %.64s: %s %.64q stands twice, or is not 1 to 64 lower-case letters, digits and _", function, what, r.Name)
		}
		seen[r.Name] = true
		fields = append(fields, batch.Field{Name: r.Name, Type: t})
	}
	return fields
}

const typeNames = "bool, int, double, string, bytes and timestamp"

// Constant patterns, compiled once.
var (
	moduleName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)
	sqlName    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	semver     = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)
)

// names lists the functions for an error's text.
func (m *Manifest) names() string {
	names := make([]string, len(m.Functions))
	for i := range m.Functions {
		names[i] = m.Functions[i].Name
	}
	return strings.Join(names, ", ")
}
