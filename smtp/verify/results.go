package verify

import "strings"

// methodResult is one method=result of an Authentication-Results field (RFC 8601 2.2).
type methodResult struct{ method, value string }

// parseResults reads by hand what go-msgauth's authres would read otherwise than it was meant: a semicolon in a comment or
// in quotes would begin another result there, which anybody could have had written.
//
// It reads the results of a field's value, whatever precedes them. Properties and comments are left out.
func parseResults(value string) (results []methodResult) {
	for piece := range strings.SplitSeq(withoutComments(value), ";") {
		words := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(piece, " =", "="), "= ", "="))
		if len(words) == 0 {
			continue
		}
		method, result, ok := strings.Cut(words[0], "=")
		method, _, _ = strings.Cut(method, "/") // a version
		if ok && method != "" && result != "" {
			results = append(results, methodResult{strings.ToLower(method), strings.ToLower(result)})
		}
	}
	return results
}

// withoutComments leaves out comments, and quoted strings, in which a semicolon means nothing.
func withoutComments(s string) string {
	var b strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && (quoted || depth > 0):
			i++
		case c == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String()
}
