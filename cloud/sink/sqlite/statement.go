package sqlite

import (
	"fmt"
	"strings"

	"github.com/leatio/leat/cloud/sink"
)

// statement checks that text is one statement that reads, and gives it with
// its time literals in the form of the timestamp columns. It is a first,
// clear answer to a user; what keeps a query from writing is the connection.
func statement(text string) (string, error) {
	var out strings.Builder
	word, ended := "", false
	for i := 0; i < len(text); {
		n, kind := token(text[i:])
		t := text[i : i+n]
		i += n
		switch kind {
		case tokenSpace:
		case tokenEnd:
			ended = true
			continue
		default:
			if ended {
				return "", fmt.Errorf("%w: only one statement is allowed, the second begins at byte %d", sink.ErrQuery, i-n)
			}
			if word == "" {
				word = strings.ToUpper(t)
			}
		}
		if kind == tokenText {
			if normal, ok := normalTime(t[1 : len(t)-1]); ok {
				t = "'" + normal + "'"
			}
		}
		out.WriteString(t)
	}
	switch word {
	case "SELECT", "WITH", "VALUES", "EXPLAIN":
		return out.String(), nil
	case "":
		return "", fmt.Errorf("%w: it is empty", sink.ErrQuery)
	}
	return "", fmt.Errorf("%w: it begins with %.20q, queries only read: begin with SELECT, WITH, VALUES or EXPLAIN", sink.ErrQuery, word)
}

type tokenKind int

const (
	tokenSpace tokenKind = iota // white space and comments
	tokenEnd                    // a semicolon
	tokenText                   // a complete text literal
	tokenOther
)

// token measures the token at the beginning of s, which is not empty.
func token(s string) (int, tokenKind) {
	switch c := s[0]; {
	case strings.IndexByte(" \t\n\f\r", c) >= 0:
		return 1, tokenSpace
	case c == ';':
		return 1, tokenEnd
	case strings.HasPrefix(s, "--"):
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			return i + 1, tokenSpace
		}
		return len(s), tokenSpace
	case strings.HasPrefix(s, "/*"):
		if i := strings.Index(s[2:], "*/"); i >= 0 {
			return i + 4, tokenSpace
		}
		return len(s), tokenSpace
	case c == '\'' || c == '"' || c == '`':
		return quoted(s, c)
	case c == '[':
		if i := strings.IndexByte(s, ']'); i >= 0 {
			return i + 1, tokenOther
		}
		return len(s), tokenOther
	}
	n := 1
	for wordByte(s[0]) && n < len(s) && wordByte(s[n]) {
		n++
	}
	return n, tokenOther
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

// quoted measures a token between quotes; a doubled quote stands for itself.
func quoted(s string, quote byte) (int, tokenKind) {
	for i := 1; i < len(s); i++ {
		if s[i] != quote {
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			i++
			continue
		}
		if quote == '\'' {
			return i + 1, tokenText
		}
		return i + 1, tokenOther
	}
	return len(s), tokenOther
}
