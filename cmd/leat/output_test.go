package main

import (
	"bytes"
	"testing"
)

func TestTable(t *testing.T) {
	var b bytes.Buffer
	err := formatTable.print(&b, nil, []string{"device", "n"}, [][]string{{"dev\t1\x1b[2J", "10"}, {"d", "null"}})
	if err != nil {
		t.Fatal(err)
	}
	want := "device         n\ndev\\t1\\x1b[2J  10\nd              null\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestRecords(t *testing.T) {
	var b bytes.Buffer
	if err := printRecords(&b, []string{"topic", "n"}, [][]string{{"a/b\n", "1"}, {"c", "2"}}); err != nil {
		t.Fatal(err)
	}
	want := "-- 1\ntopic  a/b\\n\nn      1\n-- 2\ntopic  c\nn      2\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	if got := tableWidth([]string{"topic", "n"}, [][]string{{"abcdefg", "1"}, {"ü", "22"}}); got != 11 {
		t.Errorf("the table is %d wide", got)
	}
}

func TestOutputFormats(t *testing.T) {
	v := []map[string]any{{"a": "<x>", "b": 1}}
	for o, want := range map[output]string{
		formatJSON: "[\n  {\n    \"a\": \"<x>\",\n    \"b\": 1\n  }\n]\n",
		formatYAML: "- a: <x>\n  b: 1\n",
	} {
		var b bytes.Buffer
		if err := o.print(&b, v, nil, nil); err != nil || b.String() != want {
			t.Errorf("%s: %v, got\n%s", o, err, b.String())
		}
	}
	if err := output("xml").print(new(bytes.Buffer), v, nil, nil); err == nil {
		t.Error("xml is a format")
	}
}
