package compose

import (
	"fmt"
	"strings"

	"podmail/mail"
)

// AuthenticationResults writes the field that tells what was found out about a message's sender (RFC 8601 2.2), folded. go-msgauth's
// authres has no name for the method arc, folds nothing, and sorts what belongs together.
func AuthenticationResults(host string, a *mail.Authentication) string {
	var b strings.Builder
	b.WriteString("Authentication-Results: " + value(token(host, "localhost")))
	add := func(method string, r mail.AuthResult, reason string, properties ...string) {
		b.WriteString(";\r\n\t" + method + "=" + string(r))
		if reason != "" {
			b.WriteString(" reason=\"" + quotable(reason) + "\"")
		}
		for i := 0; i < len(properties); i += 2 {
			if said := token(properties[i+1], ""); said != "" {
				b.WriteString(" " + properties[i] + "=" + value(said))
			}
		}
	}
	remote := ""
	if a.Remote.IsValid() {
		remote = a.Remote.String()
	}
	add("iprev", a.Reverse.Result, "", "policy.iprev", remote)
	if a.ReversePath == "" {
		add("spf", a.SPF.Result, "", "smtp.helo", a.HELO)
	} else {
		add("spf", a.SPF.Result, "", "smtp.mailfrom", a.SPF.Domain)
	}
	if len(a.DKIM) == 0 {
		add("dkim", mail.AuthNone, "")
	}
	for _, d := range a.DKIM {
		add("dkim", d.Result, string(d.Fault), "header.d", d.Domain, "header.s", d.Selector, "header.a", d.Algorithm, "header.b", d.Signature)
	}
	add("dmarc", a.DMARC.Result, "", "header.from", a.DMARC.From, "policy.dmarc", string(a.DMARC.Policy))
	if a.ARC.Result != mail.AuthNone {
		add("arc", a.ARC.Result, "")
	}
	return b.String() + "\r\n"
}

// value writes a value (RFC 8601 2.2): in quotation marks, unless it is a token (RFC 2045 5.1).
func value(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?=`, r) }) {
		return `"` + quotable(s) + `"`
	}
	return s
}

// quotable keeps what may stand within quotation marks on one line.
func quotable(s string) string {
	return clip(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s), 255)
}

// SpamScore writes the field that tells what a pod's spam filter thinks, and for which words, folded.
func SpamScore(s *mail.SpamScore) string {
	verdict := "no"
	if s.Score >= s.Threshold {
		verdict = "yes"
	}
	var words []string
	for _, w := range s.Words {
		if word := token(w.Word, ""); word != "" && strings.IndexFunc(word, func(r rune) bool { return r >= 0x80 }) < 0 {
			words = append(words, fmt.Sprintf("%s=%.3f", word, w.Spam))
		}
	}
	return fmt.Sprintf("X-Podmail-Spam: %s; score=%.3f; threshold=%.2f;\r\n\twords=\"%s\"\r\n", verdict, s.Score, s.Threshold, strings.Join(words, "\r\n\t "))
}
