package compile

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// JSONSchema is a JSON Schema (draft 2020-12) of the pipeline file for
// editors, written from the table of keys that the parser follows.
func JSONSchema() []byte {
	root := fileKeys().jsonSchema()
	doc := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "Leat pipeline"},
	}
	doc = append(doc, root...)
	raw, err := json.Marshal(doc)
	if err != nil {
		panic("BUG: the JSON schema cannot be written: " + err.Error())
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		panic("BUG: the JSON schema is not JSON: " + err.Error())
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// object is a JSON object whose keys keep their order.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

const durationPattern = `^([0-9]+(ms|s|m|h|d))+$`

func (s *shape) jsonSchema() object {
	var o object
	if s.doc != "" {
		o = append(o, member{"description", s.doc})
	}
	switch s.kind {
	case kindString:
		o = append(o, member{"type", "string"})
		if s.pattern != nil {
			o = append(o, member{"pattern", s.pattern.String()})
		}
	case kindExpr:
		o = append(o, member{"type", []string{"string", "number", "boolean"}})
	case kindBool:
		o = append(o, member{"type", "boolean"})
	case kindInt, kindNumber:
		o = append(o, member{"type", map[kind]string{kindInt: "integer", kindNumber: "number"}[s.kind]},
			member{"minimum", s.min}, member{"maximum", s.max})
	case kindWord:
		o = append(o, member{"enum", s.words})
	case kindSize:
		o = append(o, member{"type", "string"}, member{"pattern", sizePattern.String()})
	case kindLiteral:
		o = append(o, member{"type", []string{"string", "number", "boolean", "null"}})
	case kindDuration:
		alts := []object{{{"type", "string"}, {"pattern", durationPattern}}}
		if len(s.words) > 0 {
			alts = append(alts, object{{"enum", s.words}})
			return append(o, member{"anyOf", alts})
		}
		o = append(o, alts[0]...)
	case kindList:
		o = append(o, member{"type", "array"}, member{"items", s.elem.jsonSchema()})
	case kindMap:
		o = append(o, member{"type", "object"}, member{"additionalProperties", s.elem.jsonSchema()})
	case kindObject:
		o = s.objectSchema(o)
	case kindAny:
		var alts []object
		for _, alt := range []*shape{s.scalar, s.list, s.mapping} {
			if alt != nil {
				alts = append(alts, alt.jsonSchema())
			}
		}
		o = append(o, member{"anyOf", alts})
	}
	return o
}

func (s *shape) objectSchema(o object) object {
	types := any("object")
	if !s.needsKeys() {
		types = []string{"object", "null"}
	}
	var properties object
	var required []string
	for _, f := range s.fields {
		p := f.shape.jsonSchema()
		if f.def != "" {
			for i := range p {
				if p[i].key == "description" {
					p[i].value = fmt.Sprintf("%s Default: %s.", f.shape.doc, f.def)
				}
			}
		}
		properties = append(properties, member{f.name, p})
		if f.required {
			required = append(required, f.name)
		}
	}
	o = append(o, member{"type", types}, member{"properties", properties}, member{"additionalProperties", false})
	if required != nil {
		o = append(o, member{"required", required})
	}
	if len(s.choice) > 0 {
		var alts []object
		for _, c := range s.choice {
			alts = append(alts, object{{"required", []string{c}}})
		}
		o = append(o, member{"oneOf", alts})
	}
	return o
}
