package tlsrpt

import (
	"net/url"
	"strings"

	"podmail/mail"
)

const (
	maxRecipients = 5    // of the reports on a domain
	maxURL        = 2000 // bytes
)

// Recipients finds to whom reports on a domain go, in the texts at _smtp._tls.domain: addresses, and URLs of https that they
// are posted to. There are none if the domain has no record or more than one (RFC 8460 3).
func Recipients(texts []string) (to []string) {
	found := 0
	for _, text := range texts {
		version, rest, _ := strings.Cut(text, ";")
		if strings.TrimSpace(version) != "v=TLSRPTv1" {
			continue
		}
		if found++; found > 1 {
			return nil
		}
		for field := range strings.SplitSeq(rest, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			if strings.TrimSpace(name) != "rua" {
				continue
			}
			for uri := range strings.SplitSeq(value, ",") {
				if r, ok := recipient(strings.TrimSpace(uri)); ok && len(to) < maxRecipients {
					to = append(to, r)
				}
			}
		}
	}
	return to
}

// recipient is the address of a mailto:, or a URL of https that is whole.
func recipient(uri string) (string, bool) {
	if address, ok := mail.MailtoAddress(uri); ok {
		return address, true
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || len(uri) > maxURL {
		return "", false
	}
	u.Fragment = ""
	return u.String(), true
}

// IsURL tells whether a recipient is a URL, and no address.
func IsURL(recipient string) bool { return strings.HasPrefix(recipient, "https://") }
