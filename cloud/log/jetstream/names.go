package jetstream

import (
	"fmt"
	"strconv"
	"strings"
)

// encodeName makes one token of a subject of any name: letters, digits, '_' and
// '-' stand for themselves, every other byte is '=' and two hexadecimal digits.
func encodeName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "=%02x", c)
	}
	return b.String()
}

func decodeName(token string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(token); i++ {
		if token[i] != '=' {
			b.WriteByte(token[i])
			continue
		}
		if i+3 > len(token) {
			return "", fmt.Errorf("the subject token %q ends within a byte", token)
		}
		v, err := strconv.ParseUint(token[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("the subject token %q: %w", token, err)
		}
		b.WriteByte(byte(v))
		i += 2
	}
	return b.String(), nil
}
