package compile

import "testing"

// TestSenMLKeepsItsSchema: which rows a pack gives depends on the schema, so a column that nothing reads stays.
func TestSenMLKeepsItsSchema(t *testing.T) {
	for format, want := range map[string]int{"senml": 3, "json": 2} {
		p, err := Compile([]byte(`
name: p
source:
  mqtt: {broker: "tcp://127.0.0.1:1883", topics: [t]}
  format: `+format+`
  schema: {t: timestamp_s, temperature: double, humidity: double}
  event_time: {column: t}
steps:
  - select: [temperature]
sinks:
  - stdout: {}
`), Options{File: "p.yaml", PipelineID: "p", Version: 1})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(p.Source.Columns); n != want {
			t.Errorf("%s: the source has %d columns, want %d", format, n, want)
		}
	}
}
