package compose

import (
	"fmt"
	"slices"
	"strings"

	"podmail/mail"
)

// maxHeaders bounds the fields that a caller adds, names and values together, in bytes: what a header may hold in all
// is limited everywhere.
const maxHeaders = 64 << 10

// Check checks the free text that a caller put into a draft. What Write would have to cut or leave out is CodeInvalid
// and names its field.
func Check(d *Draft) error {
	if strings.ContainsAny(d.Subject, "\r\n\x00") {
		return mail.Invalid("subject", "has no line breaks")
	}
	if len(d.Subject) > maxSubject {
		return mail.Invalid("subject", "has at most %d bytes", maxSubject)
	}
	if err := checkHeaders(d.Headers); err != nil {
		return mail.Invalid("headers", "%v", err)
	}
	for i, a := range d.Attachments {
		if len(a.Filename) > maxFilename {
			return mail.Invalid(fmt.Sprintf("attachments.%d.filename", i), "has at most %d bytes", maxFilename)
		}
		if a.ContentID != "" && !isContentID(strings.Trim(a.ContentID, "<>")) {
			return mail.Invalid(fmt.Sprintf("attachments.%d.content_id", i), "has 1 to 255 visible ASCII characters, and no angle brackets within")
		}
	}
	return nil
}

// checkHeaders wants fields that are well-formed, and none that the message's structure depends on.
func checkHeaders(headers map[string]string) error {
	size := 0
	for name, value := range headers {
		if name == "" || len(name) > 76 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }) {
			return fmt.Errorf("%q is no name of a header field", name)
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			return fmt.Errorf("the value of %s has line breaks", name)
		}
		if isStructural(strings.ToLower(name)) {
			return fmt.Errorf("%s is set by the server", name)
		}
		if size += len(name) + len(value); size > maxHeaders {
			return fmt.Errorf("there are more than %d bytes of them", maxHeaders)
		}
	}
	return nil
}

func isStructural(name string) bool {
	return slices.Contains([]string{"from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date", "message-id", "in-reply-to", "references",
		"mime-version", "received", "return-path", "dkim-signature", "authentication-results", "delivered-to"}, name) ||
		strings.HasPrefix(name, "content-") || strings.HasPrefix(name, "resent-") || strings.HasPrefix(name, "arc-")
}
