package deliver

import (
	"fmt"
	"slices"
	"strings"

	"podmail/mail/dsn"
)

// mail is the command that names the sender, with what the host must know of the message.
func (t *transaction) mail(at []int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "MAIL FROM:<%s>", t.reversePath)
	if t.s.offers("SIZE") {
		fmt.Fprintf(&b, " SIZE=%d", t.sealed.size)
	}
	if t.sealed.eightBit && t.s.offers("8BITMIME") {
		b.WriteString(" BODY=8BITMIME")
	}
	international := func(i int) bool { return t.recipients[i].international }
	if t.s.offers("SMTPUTF8") && (t.content.utf8Header || t.international || slices.ContainsFunc(at, international)) {
		b.WriteString(" SMTPUTF8")
	}
	if t.RequireTLS {
		b.WriteString(" REQUIRETLS")
	}
	if t.s.offers("DSN") {
		if t.Return == "FULL" || t.Return == "HDRS" {
			b.WriteString(" RET=" + t.Return)
		}
		if id := dsn.Xtext(t.EnvelopeID); id != "" && len(id) <= 100 {
			b.WriteString(" ENVID=" + id)
		}
	}
	return b.String()
}

func (t *transaction) rcpt(i int) string {
	r := t.recipients[i]
	line := "RCPT TO:<" + r.path + ">"
	if !t.s.offers("DSN") {
		return line
	}
	if isNotify(r.Notify) {
		line += " NOTIFY=" + r.Notify
	}
	kind, address, ok := strings.Cut(r.OriginalRecipient, ";")
	if ok && kind != "" && strings.Trim(kind, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == "" && isXtext(address) && len(address) <= 500 {
		line += " ORCPT=" + r.OriginalRecipient
	}
	return line
}

// isXtext tells whether a value can stand in a parameter as it is (RFC 3461 4).
func isXtext(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '=' {
			return false
		}
	}
	return s != ""
}

func isNotify(s string) bool {
	for word := range strings.SplitSeq(s, ",") {
		if !slices.Contains([]string{"NEVER", "SUCCESS", "FAILURE", "DELAY"}, word) {
			return false
		}
	}
	return true
}
