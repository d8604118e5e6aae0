package decode

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/leatio/leat/engine/plan"
)

// decodeLibrary decodes a message by encoding/json. It defines what is
// accepted, what values result, and the words of a reject.
func (d *Decoder) decodeLibrary(p []byte) error {
	if err := checkNesting(p, d.limits.Depth); err != nil {
		return err
	}
	trimmed := bytes.TrimLeft(p, " \t\r\n")
	if len(trimmed) == 0 {
		return errors.New("the message is empty")
	}
	if !json.Valid(p) {
		var v json.RawMessage
		return fmt.Errorf("malformed JSON: %w", jsonError(json.Unmarshal(p, &v)))
	}
	if trimmed[0] != '[' {
		return d.objectLibrary(trimmed)
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(p, &elements); err != nil {
		return fmt.Errorf("malformed JSON: %w", err)
	}
	if len(elements) > d.limits.Rows {
		return fmt.Errorf("an array of %d rows: the limit is %d", len(elements), d.limits.Rows)
	}
	for i, e := range elements {
		if err := d.objectLibrary(e); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

// jsonError adds the place to a syntax error.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w at byte %d", err, syntax.Offset)
	}
	return err
}

// checkNesting bounds the depth before encoding/json, which recurses, sees the message.
func checkNesting(p []byte, most int) error {
	depth, inString := 0, false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return fmt.Errorf("values nest deeper than the limit (%d)", most)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

func (d *Decoder) objectLibrary(raw json.RawMessage) error {
	if raw[0] != '{' {
		return fmt.Errorf("expected an object, found %s", describe(raw))
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return fmt.Errorf("malformed JSON: %w", err)
	}
	d.startRow()
	for i := range d.cols {
		c := &d.cols[i]
		if c.hidden != plan.Hidden_HIDDEN_NONE {
			continue
		}
		value, ok := members[c.name]
		if !ok || string(value) == "null" {
			c.setNull(d.rows)
			continue
		}
		if err := c.setLibrary(d.rows, value); err != nil {
			return fmt.Errorf("column %q: %w", c.name, err)
		}
	}
	d.endRow(d.inputs)
	return nil
}

// setLibrary sets a row to a valid JSON value other than null.
func (c *column) setLibrary(row int, value json.RawMessage) (err error) {
	switch k := kindOf(c); k {
	case kindBool:
		if value[0] != 't' && value[0] != 'f' {
			return fmt.Errorf("expected true or false, found %s", describe(value))
		}
		c.bools[row] = value[0] == 't'
	case kindInt, kindTimeNumber, kindDouble:
		if describe(value) != "a number" {
			return fmt.Errorf("expected a number, found %s", describe(value))
		}
		if k == kindDouble {
			c.doubles[row], err = parseDouble(value)
			return err
		}
		v, exact, err := parseDecimal(value, c.shift)
		if err == nil && k == kindInt && !exact {
			err = errFraction
		}
		c.ints[row] = v
		return err
	default:
		if value[0] != '"' {
			return fmt.Errorf("expected a string, found %s", describe(value))
		}
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return fmt.Errorf("malformed string: %w", err)
		}
		return c.setText(row, text, k)
	}
	return nil
}

func (c *column) setText(row int, text string, k kind) error {
	switch k {
	case kindTimeText:
		v, ok := parseRFC3339([]byte(text))
		if !ok {
			return fmt.Errorf("expected a timestamp such as 2026-01-02T15:04:05.678Z, found %.40q", text)
		}
		c.ints[row] = v
	case kindBytes:
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fmt.Errorf("expected base64: %w", err)
		}
		c.setBytes(row, data)
	default:
		c.codes[row] = c.dict.CodeString(text)
	}
	return nil
}

// describe names the type of a valid JSON value.
func describe(value json.RawMessage) string {
	switch value[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
