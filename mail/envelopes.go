package mail

import (
	"strings"
)

// Address is one mailbox of an address header (RFC 5322 3.4), with the display name decoded. A group's start has an
// empty Host and the group's name in Mailbox, its end has both empty, as IMAP's ENVELOPE tells them (RFC 9051 7.5.2).
type Address struct {
	Name    string `json:"n,omitempty"`
	Mailbox string `json:"m,omitempty"`
	Host    string `json:"h,omitempty"`
}

// Addr is the bare address, local@host.
func (a Address) Addr() string {
	if a.Host == "" {
		return a.Mailbox
	}
	return a.Mailbox + "@" + a.Host
}

// String is the API's form: `Name <local@host>`, or the bare address when there is no name.
func (a Address) String() string {
	if a.Name == "" {
		return a.Addr()
	}
	return a.Name + " <" + a.Addr() + ">"
}

// IsGroup tells group markers from mailboxes.
func (a Address) IsGroup() bool { return a.Host == "" }

// Envelope is what a message's top header says, decoded (RFC 9051 7.5.2 with References added).
type Envelope struct {
	Date       string    `json:"date,omitempty"` // as written
	Subject    string    `json:"subject,omitempty"`
	From       []Address `json:"from,omitempty"`
	Sender     []Address `json:"sender,omitempty"`
	ReplyTo    []Address `json:"reply_to,omitempty"`
	To         []Address `json:"to,omitempty"`
	Cc         []Address `json:"cc,omitempty"`
	Bcc        []Address `json:"bcc,omitempty"`
	InReplyTo  []string  `json:"in_reply_to,omitempty"` // message ids with angle brackets
	MessageID  string    `json:"message_id,omitempty"`  // with angle brackets; empty if absent or unusable
	References []string  `json:"references,omitempty"`  // oldest first, with angle brackets
}

// Strings renders addresses in the API's form, leaving group markers out.
func Strings(addrs []Address) []string {
	var out []string
	for _, a := range addrs {
		if !a.IsGroup() {
			out = append(out, a.String())
		}
	}
	return out
}

// Ancestors are the message ids that the message names, nearest first, without duplicates: In-Reply-To, then
// References from the last to the first.
func (e *Envelope) Ancestors() []string {
	seen := map[string]bool{e.MessageID: true, "": true}
	var out []string
	add := func(id string) {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	for _, id := range e.InReplyTo {
		add(id)
	}
	for i := len(e.References) - 1; i >= 0; i-- {
		add(e.References[i])
	}
	return out
}

// CanonicalAddress is the form under which an address is looked up: lower case, no surrounding space or brackets, no
// quotes that the local part does not need. Local parts are case-insensitive here.
func CanonicalAddress(s string) string {
	s = strings.TrimSpace(s)
	s = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">"))
	if local, domain, ok := SplitAddress(s); ok && local[0] == '"' {
		return Unquoted(local) + "@" + domain
	}
	return s
}

// Unquoted is a local part with no more quotes and backslashes than it needs: "joe" and "j\oe" are joe (RFC 5321 4.1.2).
func Unquoted(local string) string {
	if len(local) < 2 || local[0] != '"' || local[len(local)-1] != '"' {
		return local
	}
	var plain []byte
	for i := 1; i < len(local)-1; i++ {
		if local[i] == '\\' && i < len(local)-2 {
			i++
		}
		plain = append(plain, local[i])
	}
	if text := string(plain); IsDotAtom(text) {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(plain)) + `"`
}

// IsDotAtom tells whether a local part needs no quotes (RFC 5321 4.1.2, RFC 6531 3.3).
func IsDotAtom(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for _, r := range s {
		if r < 0x80 && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)) {
			return false
		}
	}
	return true
}

// SplitAddress cuts an address at its last @. ok is false if either side is empty.
func SplitAddress(addr string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(addr, '@')
	if i <= 0 || i == len(addr)-1 {
		return "", "", false
	}
	return addr[:i], addr[i+1:], true
}

// ValidDomain checks the letter-digit-hyphen form of a domain in lower case (RFC 5321 4.1.2, RFC 1035 2.3.4).
func ValidDomain(d string) bool {
	if len(d) > 253 {
		return false
	}
	for label := range strings.SplitSeq(d, ".") {
		other := func(r rune) bool { return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-') }
		if len(label) < 1 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.IndexFunc(label, other) >= 0 {
			return false
		}
	}
	return true
}
