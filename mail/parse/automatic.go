package parse

import "strings"

// automatic tells whether a field says that a program wrote the message, or handed it on to a list: that nobody should
// answer it by a program (RFC 3834 2, RFC 5230 4.6, and what was used before them).
func (f *rawField) automatic() bool {
	name := strings.ToLower(f.name)
	switch name {
	case "auto-submitted", "precedence", "x-auto-response-suppress", "x-autoreply", "x-autorespond", "content-type":
	case "list-id", "list-help", "list-subscribe", "list-unsubscribe", "list-post", "list-owner", "list-archive":
		return true
	default: // as nearly all are
		return false
	}
	word, _, _ := strings.Cut(strings.ToLower(stripComments(unfold(f.value))), ";")
	word = strings.TrimSpace(word)
	switch name {
	case "precedence":
		return word == "list" || word == "bulk" || word == "junk" || word == "auto_reply" || word == "auto-reply"
	case "content-type": // notifications of deliveries, of reading, complaints, and other reports (RFC 6522)
		return word == "multipart/report"
	case "x-auto-response-suppress":
		return word != "" && word != "none"
	}
	return word != "" && word != "no"
}
