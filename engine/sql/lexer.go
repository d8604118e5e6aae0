package sql

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenQuoted // "name"
	tokenNumber
	tokenString
	tokenOp
)

// token is a piece of the text. For names, text is folded to lower case and
// raw is as written; for strings and quoted names, text is the value.
type token struct {
	kind     tokenKind
	text     string
	raw      string
	pos, end int
}

// is tells whether the token is this keyword or operator.
func (t token) is(text string) bool {
	return (t.kind == tokenName || t.kind == tokenOp) && t.text == text
}

// describe names the token in a message.
func (t token) describe() string {
	switch t.kind {
	case tokenEnd:
		return "end of the expression"
	case tokenString:
		return "string " + quoteString(t.text)
	default:
		return "\"" + shorten(t.raw) + "\""
	}
}

func shorten(s string) string {
	if utf8.RuneCountInString(s) > 40 {
		return string([]rune(s)[:40]) + "..."
	}
	return s
}

func quoteString(s string) string { return "'" + strings.ReplaceAll(shorten(s), "'", "''") + "'" }

// operators, the longest first.
var operators = [...]string{"::", "<=", ">=", "<>", "!=", "||", "+", "-", "*", "/", "%", "<", ">", "=", "(", ")", ",", "."}

// lex cuts the text into tokens; the last one is tokenEnd.
func lex(text string) ([]token, *Error) {
	if len(text) > MaxText {
		return nil, errorf(MaxText, "the expression is %d bytes long, at most %d are allowed", len(text), MaxText)
	}
	var tokens []token
	for pos := 0; ; {
		at, err := skipSpace(text, pos)
		if err != nil {
			return nil, err
		}
		if at == len(text) {
			return append(tokens, token{kind: tokenEnd, pos: at, end: at}), nil
		}
		t, err := next(text, at)
		if err != nil {
			return nil, err
		}
		t.pos, t.raw = at, text[at:t.end]
		tokens = append(tokens, t)
		pos = t.end
	}
}

// skipSpace passes over blanks and comments.
func skipSpace(text string, pos int) (int, *Error) {
	for pos < len(text) {
		switch {
		case strings.IndexByte(" \t\r\n\f\v", text[pos]) >= 0:
			pos++
		case strings.HasPrefix(text[pos:], "--"):
			if n := strings.IndexByte(text[pos:], '\n'); n >= 0 {
				pos += n
			} else {
				pos = len(text)
			}
		case strings.HasPrefix(text[pos:], "/*"):
			n := strings.Index(text[pos+2:], "*/")
			if n < 0 {
				return 0, errorf(pos, "the comment is not closed, expected */")
			}
			pos += n + 4
		default:
			return pos, nil
		}
	}
	return pos, nil
}

func next(text string, pos int) (token, *Error) {
	c, size := utf8.DecodeRuneInString(text[pos:])
	switch {
	case c == utf8.RuneError && size == 1:
		return token{}, errorf(pos, "byte 0x%02x is not UTF-8", text[pos])
	case c == '\'':
		s, end, err := quoted(text, pos, '\'', "string")
		return token{kind: tokenString, text: s, end: end}, err
	case c == '"':
		s, end, err := quoted(text, pos, '"', "quoted name")
		if err == nil && s == "" {
			err = errorf(pos, "a quoted name is empty, expected a column between the quotes")
		}
		return token{kind: tokenQuoted, text: s, end: end}, err
	case isDigit(text, pos) || c == '.' && isDigit(text, pos+1):
		return number(text, pos)
	case nameStart(c):
		return name(text, pos)
	}
	for _, op := range operators {
		if strings.HasPrefix(text[pos:], op) {
			end := pos + len(op)
			if op == "!=" {
				op = "<>"
			}
			return token{kind: tokenOp, text: op, end: end}, nil
		}
	}
	if c == '^' {
		return token{}, errorf(pos, "there is no operator ^, expected power(x, y)")
	}
	return token{}, errorf(pos, "unexpected character %q, expected an operator or an operand", c)
}

// quoted reads up to the closing quote; a doubled quote stands for one.
func quoted(text string, pos int, quote byte, what string) (string, int, *Error) {
	var b strings.Builder
	for i := pos + 1; i < len(text); i++ {
		switch {
		case text[i] != quote:
			b.WriteByte(text[i])
		case i+1 < len(text) && text[i+1] == quote:
			b.WriteByte(quote)
			i++
		default:
			s := b.String()
			if bad := strings.IndexFunc(s, func(c rune) bool { return c == 0 }); bad >= 0 || !utf8.ValidString(s) {
				return "", 0, errorf(pos, "the %s holds a zero byte or is not UTF-8", what)
			}
			return s, i + 1, nil
		}
	}
	return "", 0, errorf(pos, "the %s is not closed, expected %c", what, quote)
}

func isDigit(text string, pos int) bool {
	return pos < len(text) && text[pos] >= '0' && text[pos] <= '9'
}

func digits(text string, pos int) int {
	for isDigit(text, pos) {
		pos++
	}
	return pos
}

// number reads 12, 12.5, .5, 12. and 1e-3.
func number(text string, pos int) (token, *Error) {
	end := digits(text, pos)
	if end < len(text) && text[end] == '.' {
		end = digits(text, end+1)
	}
	if end < len(text) && (text[end] == 'e' || text[end] == 'E') {
		at := end + 1
		if at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		if isDigit(text, at) {
			end = digits(text, at)
		}
	}
	if c, _ := utf8.DecodeRuneInString(text[end:]); nameStart(c) && end < len(text) {
		return token{}, errorf(pos, "trailing %q after the number %s, expected an operator", c, shorten(text[pos:end]))
	}
	return token{kind: tokenNumber, text: text[pos:end], end: end}, nil
}

func nameStart(c rune) bool {
	return c == '_' || c != utf8.RuneError && unicode.IsLetter(c)
}

func name(text string, pos int) (token, *Error) {
	end := pos
	for end < len(text) {
		c, size := utf8.DecodeRuneInString(text[end:])
		if !nameStart(c) && !unicode.IsDigit(c) && c != '$' && !unicode.IsMark(c) {
			break
		}
		end += size
	}
	folded := strings.ToLower(text[pos:end])
	if end < len(text) && text[end] == '\'' && len(folded) == 1 && strings.Contains("ebxn", folded) {
		return token{}, errorf(pos, "%s'...' strings are not supported, expected a plain string '...'", text[pos:end])
	}
	return token{kind: tokenName, text: folded, end: end}, nil
}
