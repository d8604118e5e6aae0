package compile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of a pipeline file. They keep a hostile file from taking more memory
// or time than its size warrants.
const (
	maxFileBytes = 1 << 20
	maxNodes     = 20_000 // values in all, aliases counted as often as they are used; maxTextBytes bounds their texts
	maxTextBytes = 2 << 20
	maxMistakes  = 200 // told in one run
)

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

// readYAML gives the root node of the only document in src, or nil after
// telling what is wrong.
func (c *compiler) readYAML() *yaml.Node {
	if len(c.src) > maxFileBytes {
		c.tell(1, 1, fmt.Sprintf("the file has %d bytes", len(c.src)), fmt.Sprintf("at most %d", maxFileBytes))
		return nil
	}
	if at := invalidUTF8(c.src); at >= 0 {
		line := 1 + bytes.Count(c.src[:at], []byte("\n"))
		column := 1 + utf8.RuneCount(c.src[bytes.LastIndexByte(c.src[:at], '\n')+1:at])
		c.tell(line, column, "the file is not UTF-8 text here", "a YAML file in UTF-8")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(c.src))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) || err == nil && (doc.Kind != yaml.DocumentNode || len(doc.Content) == 0) {
		c.tell(1, 1, "the file is empty", "a pipeline with at least name, source and sinks")
		return nil
	} else if err != nil {
		c.yamlMistake(err)
		return nil
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		c.tell(second.Line, second.Column, "a second YAML document begins here", "one pipeline per file")
	} else if !errors.Is(err, io.EOF) {
		c.yamlMistake(err)
		return nil
	}
	return doc.Content[0]
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// yamlMistake tells what the YAML library found; it gives lines but no columns.
func (c *compiler) yamlMistake(err error) {
	line, msg := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		if n, convErr := strconv.Atoi(m[1]); convErr == nil {
			line, msg = max(n, 1), m[2]
		}
	}
	c.tell(line, 1, "this is not YAML: "+msg, "")
}

// place is the line and column of the byte at offset of a scalar's value. Where the
// value cannot be found in the file as it stands (folded and escaped scalars
// over several lines), it is the scalar's own place.
func (c *compiler) place(n *yaml.Node, offset int) (line, column int) {
	offset = max(0, min(offset, len(n.Value)))
	switch n.Style &^ (yaml.TaggedStyle | yaml.FlowStyle) {
	case 0:
		raw, ok := c.lineFrom(n.Line, n.Column)
		first, _, _ := strings.Cut(n.Value, "\n")
		common := commonPrefix(raw, first)
		if ok && offset <= common {
			return n.Line, n.Column + utf8.RuneCountInString(raw[:offset])
		}
	case yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle:
		if raw, ok := c.lineFrom(n.Line, n.Column); ok {
			if skip, ok := quotedColumns(raw, n.Value, offset); ok {
				return n.Line, n.Column + skip
			}
		}
	case yaml.LiteralStyle:
		before := n.Value[:offset]
		row := strings.Count(before, "\n")
		inRow := before[strings.LastIndexByte(before, '\n')+1:]
		if raw, ok := c.lineFrom(n.Line+1+row, 1); ok {
			want := strings.Split(n.Value, "\n")[row]
			if indent, found := strings.CutSuffix(raw, want); found && strings.Trim(indent, " ") == "" {
				return n.Line + 1 + row, 1 + len(indent) + utf8.RuneCountInString(inRow)
			}
		}
	}
	return n.Line, n.Column
}

// lineFrom is the text of a line of the file from a column on.
func (c *compiler) lineFrom(line, column int) (string, bool) {
	if line < 1 || line > len(c.lines) {
		return "", false
	}
	text := c.lines[line-1]
	for range column - 1 {
		if text == "" {
			return "", false
		}
		_, n := utf8.DecodeRuneInString(text)
		text = text[n:]
	}
	return text, true
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// quotedColumns counts the characters from the opening quote of raw to the
// place where the decoded value has offset bytes. It fails when the scalar does not
// end in this line.
func quotedColumns(raw, value string, offset int) (int, bool) {
	if raw == "" || raw[0] != '"' && raw[0] != '\'' {
		return 0, false
	}
	quote, decoded, columns, at := raw[0], 0, 1, 1
	found := -1
	for at < len(raw) {
		if decoded >= offset && found < 0 {
			found = columns
		}
		var step int // raw bytes taken
		gives := 1   // value bytes made
		switch {
		case raw[at] == quote && quote == '\'' && strings.HasPrefix(raw[at:], "''"):
			step = 2
		case raw[at] == quote:
			return max(found, 0), decoded == len(value) && found >= 0
		case raw[at] == '\\' && quote == '"':
			step = escapeBytes(raw[at:])
			_, gives = utf8.DecodeRuneInString(value[min(decoded, len(value)):])
		default:
			_, step = utf8.DecodeRuneInString(raw[at:])
			gives = step
		}
		step = min(step, len(raw)-at)
		columns += utf8.RuneCountInString(raw[at : at+step])
		at, decoded = at+step, decoded+gives
	}
	return 0, false
}

// escapeBytes is how long the escape at the start of s is.
func escapeBytes(s string) int {
	if len(s) < 2 {
		return 1
	}
	switch s[1] {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}
