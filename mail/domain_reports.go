package mail

import (
	"net/url"
	"strings"
	"time"
)

// ReportKind is what a report on a domain is about.
type ReportKind string

// The kinds.
const (
	ReportDMARC ReportKind = "dmarc" // mail that claims to be of the domain (RFC 7489 7.2)
	ReportTLS   ReportKind = "tls"   // connections to the domain's mail hosts (RFC 8460)
)

// DomainReport is what another host tells of a domain's mail over a time.
type DomainReport struct {
	ID           int64
	Domain       int64
	Kind         ReportKind
	ReportID     string // the reporter's own
	Organization string // who reports
	Begin, End   time.Time
	Passed       int64  // messages that passed DMARC, or sessions that were encrypted as they should be
	Failed       int64  // the others
	Details      []byte // JSON: the whole report, cut to what is kept
	CreatedAt    time.Time
}

// ReportAddress tells what reports an address takes, and for which domain, if somebody registers that one.
func ReportAddress(address string) (kind ReportKind, domain string, ok bool) {
	local, domain, ok := SplitAddress(address)
	for _, k := range []ReportKind{ReportDMARC, ReportTLS} {
		if ok && local == string(k)+"-reports" {
			return k, domain, true
		}
	}
	return "", "", false
}

// AddressFor is where reports of the kind on a domain are sent.
func (k ReportKind) AddressFor(domain string) string { return string(k) + "-reports@" + domain }

// MailtoAddress is the address of a mailto: URI (RFC 6068), which is how domains say where they want reports. It is plain ASCII.
func MailtoAddress(uri string) (address string, ok bool) {
	u, err := url.Parse(uri)
	if err != nil || !strings.EqualFold(u.Scheme, "mailto") {
		return "", false
	}
	address, err = url.PathUnescape(u.Opaque)
	if err != nil || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>"(),:;\`, r) }) {
		return "", false
	}
	local, domain, ok := strings.Cut(address, "@")
	return address, ok && local != "" && domain != "" && !strings.Contains(domain, "@")
}
