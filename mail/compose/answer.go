package compose

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"podmail/mail"
)

// ReplySubject is the subject of an answer: "Re: " once (RFC 5322 3.6.5).
func ReplySubject(subject string) string { return prefixed("Re: ", subject, "re:") }

// ForwardSubject is the subject of a forwarded message: "Fwd: " once.
func ForwardSubject(subject string) string { return prefixed("Fwd: ", subject, "fwd:", "fw:") }

func prefixed(prefix, subject string, have ...string) string {
	for _, h := range have {
		if len(subject) >= len(h) && strings.EqualFold(subject[:len(h)], h) {
			return subject
		}
	}
	return prefix + subject
}

// maxReferences bounds how long a conversation's References grows: the first and the latest are kept.
const maxReferences = 21

// ReplyReferences is the References of an answer to a message (RFC 5322 3.6.4): what it refers to, then the message.
func ReplyReferences(parent *mail.Envelope, parentID string) []string {
	refs := slices.Clone(parent.References)
	if len(refs) == 0 && len(parent.InReplyTo) == 1 {
		refs = slices.Clone(parent.InReplyTo)
	}
	refs = slices.DeleteFunc(refs, func(id string) bool { return id == parentID })
	refs = append(refs, parentID)
	if len(refs) > maxReferences {
		refs = append(refs[:1:1], refs[len(refs)-maxReferences+1:]...)
	}
	return refs
}

// ForwardBody quotes a message that is forwarded, as text and as HTML.
func ForwardBody(e *mail.Envelope, text, htmlBody string) (quotedText, quotedHTML string) {
	rows := [][2]string{{"From", strings.Join(mail.Strings(e.From), ", ")}, {"Date", e.Date}, {"Subject", e.Subject}, {"To", strings.Join(mail.Strings(e.To), ", ")}}
	if cc := mail.Strings(e.Cc); len(cc) > 0 {
		rows = append(rows, [2]string{"Cc", strings.Join(cc, ", ")})
	}
	const mark = "---------- Forwarded message ---------"
	t, h := mark+"\n", "<br><div class=\"podmail_forward\">"+mark+"<br>"
	for _, r := range rows {
		t += fmt.Sprintf("%s: %s\n", r[0], r[1])
		h += fmt.Sprintf("%s: %s<br>", r[0], html.EscapeString(r[1]))
	}
	if htmlBody == "" {
		htmlBody = strings.ReplaceAll(html.EscapeString(text), "\n", "<br>")
	}
	return t + "\n" + text, h + "<br>" + htmlBody + "</div>"
}

// CheckHeaders checks fields that a caller wants to add: well-formed, and none that the message's structure depends on.
func CheckHeaders(headers map[string]string) error {
	for name, value := range headers {
		if name == "" || len(name) > 76 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }) {
			return fmt.Errorf("%q is no name of a header field", name)
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			return fmt.Errorf("the value of %s has line breaks", name)
		}
		lower := strings.ToLower(name)
		if slices.Contains(structural, lower) || strings.HasPrefix(lower, "content-") || strings.HasPrefix(lower, "resent-") || strings.HasPrefix(lower, "arc-") {
			return fmt.Errorf("%s is set by the server", name)
		}
	}
	return nil
}

var structural = []string{"from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date", "message-id", "in-reply-to", "references",
	"mime-version", "received", "return-path", "dkim-signature", "authentication-results", "delivered-to"}
