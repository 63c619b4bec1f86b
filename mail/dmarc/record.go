package dmarc

import (
	"math"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"podmail/mail"
)

const maxRecipients = 5 // of the reports on a domain

// Recipient is who wants reports on a domain.
type Recipient struct {
	Address string
	MaxSize int64 // bytes; 0: any
}

// ReadPolicy reads the record that a domain publishes at _dmarc, and who is to get reports (RFC 7489 6.3). There are none
// for a text that is no such record.
func ReadPolicy(domain, text string) (p Policy, to []Recipient) {
	t, ok := tags(text)
	if !ok {
		return p, nil
	}
	p = Policy{Domain: domain, ADKIM: mode(t["adkim"]), ASPF: mode(t["aspf"]), Policy: policy(t["p"], "none"), Percent: 100, FailureOptions: strings.ToLower(clean(t["fo"]))}
	p.Subdomain = policy(t["sp"], p.Policy)
	if n, err := strconv.Atoi(t["pct"]); err == nil && n >= 0 && n <= 100 {
		p.Percent = n
	}
	return p, recipients(t["rua"])
}

// ReadConsent reads the record by which a host agrees to take reports on another's domain (RFC 7489 7.1). It may name
// addresses of its own to be used instead.
func ReadConsent(text string) (instead []Recipient, ok bool) {
	t, ok := tags(text)
	if !ok {
		return nil, false
	}
	return recipients(t["rua"]), true
}

// tags are a record's, by their names in lower case; not ok if it is none of DMARC.
func tags(text string) (t map[string]string, ok bool) {
	t = map[string]string{}
	for i, piece := range strings.Split(text, ";") {
		name, value, _ := strings.Cut(piece, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if i == 0 && (name != "v" || value != "DMARC1") {
			return nil, false
		}
		if t[name] == "" {
			t[name] = value
		}
	}
	return t, true
}

func mode(text string) string {
	if strings.EqualFold(text, "s") {
		return "s"
	}
	return "r"
}

func policy(text, otherwise string) string {
	switch text = strings.ToLower(text); text {
	case "none", "quarantine", "reject":
		return text
	}
	return otherwise
}

// recipients are the first addresses that rua= names.
func recipients(rua string) (to []Recipient) {
	for uri := range strings.SplitSeq(rua, ",") {
		uri, limit, limited := strings.Cut(strings.TrimSpace(uri), "!") // which stands as %21 in an address
		r := Recipient{}
		var ok bool
		if r.Address, ok = mail.MailtoAddress(uri); !ok {
			continue
		}
		if limited {
			if r.MaxSize, ok = size(limit); !ok {
				continue
			}
		}
		if to = append(to, r); len(to) == maxRecipients {
			break
		}
	}
	return to
}

// size is a number with k, m, g or t for powers of 1024.
func size(text string) (n int64, ok bool) {
	unit := strings.IndexAny("kmgt", strings.ToLower(text[max(0, len(text)-1):])) + 1
	if text == "" {
		return 0, false
	}
	if unit > 0 {
		text = text[:len(text)-1]
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n << (10 * unit), err == nil && n > 0 && n <= math.MaxInt64>>(10*unit)
}

// OrganizationalDomain is the domain that somebody registered (RFC 7489 3.2).
func OrganizationalDomain(domain string) string {
	if own, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return own
	}
	return domain
}
