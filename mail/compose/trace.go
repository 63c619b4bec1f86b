package compose

import (
	"net/netip"
	"strings"
	"time"

	"podmail/mail"
)

// Hop is what a Received field tells of one transfer (RFC 5321 4.4).
type Hop struct {
	HELO     string     // what the peer called itself; empty leaves the from clause out
	Remote   netip.Addr // the zero Addr leaves it out
	By       string     // our host name
	Protocol string     // RFC 3848
	TLS      string     // version and cipher; empty without TLS
	ID       string
	For      string // the recipient, if there is one only
	Time     time.Time
}

// Received writes the field, folded.
func Received(h Hop) string {
	var b strings.Builder
	b.WriteString("Received: ")
	if h.HELO != "" || h.Remote.IsValid() {
		b.WriteString("from " + token(h.HELO, "unknown"))
		if h.Remote.IsValid() {
			b.WriteString(" ([" + literal(h.Remote) + "])")
		}
		b.WriteString("\r\n\t")
	}
	b.WriteString("by " + token(h.By, "localhost") + " with " + token(h.Protocol, "SMTP"))
	if h.TLS != "" {
		b.WriteString(" (" + strings.Join(strings.FieldsFunc(h.TLS, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '(' || r == ')' || r == '\\' }), " ") + ")")
	}
	b.WriteString("\r\n\tid " + token(h.ID, "none"))
	if h.For != "" {
		b.WriteString("\r\n\tfor <" + path(h.For) + ">")
	}
	b.WriteString("; " + h.Time.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700") + "\r\n")
	return b.String()
}

// literal writes an address as in an address literal (RFC 5321 4.1.3).
func literal(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		return "IPv6:" + a.WithZone("").String()
	}
	return a.String()
}

// token keeps what cannot break out of its place in the field.
func token(s, def string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`()<>;,\"`, r) {
			return -1
		}
		return r
	}, s)
	if s = clip(s, 255); s == "" {
		return def
	}
	return s
}

// path writes an address of the envelope as it was (RFC 5321 4.1.2), with quotes only where its local part needs them. What
// cannot stand there even so is left out.
func path(address string) string {
	local, domain, ok := mail.SplitAddress(address)
	if !ok { // the null path, or RCPT's postmaster
		return token(address, "")
	}
	local = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, local)
	quoted := len(local) > 1 && local[0] == '"' && local[len(local)-1] == '"'
	if !quoted && strings.ContainsAny(local, ` ()<>[]:;@,\"`) {
		local = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
	}
	return mail.Unquoted(local) + "@" + token(domain, "")
}

// ReturnPath writes the field that keeps the envelope's sender at the final delivery (RFC 5321 4.4).
func ReturnPath(reversePath string) string {
	return "Return-Path: <" + path(reversePath) + ">\r\n"
}

// DeliveredTo writes the field by which a message that is handed on is known when it comes back.
func DeliveredTo(address string) string { return "Delivered-To: " + token(address, "") + "\r\n" }
