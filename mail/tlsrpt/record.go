package tlsrpt

import (
	"strings"

	"podmail/mail"
)

const maxRecipients = 5 // of the reports on a domain

// Recipients finds the addresses to which a domain wants reports, in the texts at _smtp._tls.domain. There are none if it
// has no record or more than one, or takes them over HTTPS only (RFC 8460 3).
func Recipients(texts []string) (addresses []string) {
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
				if a, ok := mail.MailtoAddress(strings.TrimSpace(uri)); ok && len(addresses) < maxRecipients {
					addresses = append(addresses, a)
				}
			}
		}
	}
	return addresses
}
