package wire

import (
	"errors"
	"strconv"
	"strings"
)

// Command is a line that was split: the verb in upper case, and what follows it.
type Command struct{ Verb, Argument string }

// ParseCommand splits a line at its first space.
func ParseCommand(line string) Command {
	verb, argument, _ := strings.Cut(line, " ")
	return Command{strings.ToUpper(verb), strings.Trim(argument, " \t")}
}

var errSyntax = errors.New("syntax error")

// Parameter is an ESMTP parameter (RFC 5321 4.1.2): a keyword in upper case, and a value that may be empty.
type Parameter struct{ Keyword, Value string }

// maxParameters bounds how many a command may have; there are about a dozen in the world.
const maxParameters = 32

// parseParameters reads what follows a path. A keyword may stand once only.
func parseParameters(s string) ([]Parameter, error) {
	fields := strings.Fields(s)
	if len(fields) > maxParameters {
		return nil, errSyntax
	}
	var ps []Parameter
	seen := map[string]bool{}
	for _, f := range fields {
		keyword, value, _ := strings.Cut(f, "=")
		keyword = strings.ToUpper(keyword)
		if !validKeyword(keyword) || seen[keyword] || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return nil, errSyntax
		}
		seen[keyword] = true
		ps = append(ps, Parameter{keyword, value})
	}
	return ps, nil
}

func validKeyword(s string) bool {
	for i, c := range []byte(s) {
		alphanumeric := 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && (c != '-' || i == 0) {
			return false
		}
	}
	return s != ""
}

// DecodeXtext decodes a parameter's value (RFC 3461 4).
func DecodeXtext(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			if i+2 >= len(s) || strings.ToUpper(s[i+1:i+3]) != s[i+1:i+3] {
				return "", errSyntax
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", errSyntax
			}
			b.WriteByte(byte(n))
			i += 2
		case c < '!' || c > '~' || c == '=':
			return "", errSyntax
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// ParseChunk reads BDAT's argument (RFC 3030 2).
func ParseChunk(s string) (size int64, last bool, err error) {
	fields := strings.Fields(s)
	if len(fields) < 1 || len(fields) > 2 || len(fields) == 2 && !strings.EqualFold(fields[1], "LAST") {
		return 0, false, errSyntax
	}
	n, err := strconv.ParseUint(fields[0], 10, 62)
	if err != nil {
		return 0, false, errSyntax
	}
	return int64(n), len(fields) == 2, nil
}
