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
