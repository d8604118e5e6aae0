package api

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/leatio/leat/cloud/control"
)

// The reference page names every call and every field.
func TestReference(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference/api.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	source, err := os.ReadFile("server.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := regexp.MustCompile(`HandleFunc\("([A-Z]+ [^"]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(calls) < 10 {
		t.Fatalf("only %d calls were found in server.go", len(calls))
	}
	for _, c := range calls {
		if !strings.Contains(page, "`"+c[1]+"`") {
			t.Errorf("the page has no `%s`", c[1])
		}
	}
	for _, v := range []any{
		Status{}, PipelineStatus{}, Agent{}, AgentPipeline{}, Query{}, Result{}, TokenRequest{}, Token{}, Applied{}, Mistake{}, control.Apply{}, control.Pipeline{},
	} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !regexp.MustCompile("`" + name + "[`:]").MatchString(page) {
				t.Errorf("the page has no `%s` of %s", name, typ.Name())
			}
		}
	}
}
