package deliver

import (
	"strings"

	"golang.org/x/net/idna"

	"podmail/mail"
)

// parcel is a transfer under way.
type parcel struct {
	mail.Transfer
	content content
	sealed  map[form]*sealed

	reversePath   string // as it goes on the wire
	recipients    []recipient
	results       []mail.TransferResult
	international bool // the reverse path is not in ASCII
	most          int  // recipients in one transaction
}

// recipient is one recipient as it goes on the wire.
type recipient struct {
	mail.TransferRecipient
	path          string
	international bool // not in ASCII: only SMTPUTF8 takes it
	settled       bool
}

func newParcel(t mail.Transfer) *parcel {
	p := &parcel{Transfer: t, most: maxRecipients, sealed: map[form]*sealed{}, results: make([]mail.TransferResult, len(t.Recipients))}
	p.reversePath = wirePath(t.ReversePath)
	p.international = !isASCII(p.reversePath)
	for i, r := range t.Recipients {
		path := wirePath(r.Address)
		p.recipients = append(p.recipients, recipient{TransferRecipient: r, path: path, international: !isASCII(path)})
		p.results[i].Recipient = r.Address
		if !isPath(path) {
			p.settle(i, failed(mail.TransferContent, "5.1.3", "%.100q cannot be written as a recipient", r.Address), nil)
		}
	}
	return p
}

// open are the recipients of whom nothing final is known.
func (p *parcel) open() (at []int) {
	for i, r := range p.recipients {
		if !r.settled {
			at = append(at, i)
		}
	}
	return at
}

// settle notes what became of a recipient; f nil: the host has taken the message. s is where; nil: nowhere.
func (p *parcel) settle(i int, f *failure, s *session) {
	r := mail.TransferResult{Recipient: p.results[i].Recipient}
	if f != nil {
		r.Host, r.TLS = f.host, f.tls
		r.Failure, r.Permanent, r.Personal, r.Code, r.Enhanced, r.Text = f.kind, f.permanent, f.personal, f.code, f.enhanced, f.text
	}
	if s != nil {
		r.Host, r.TLS, r.RemoteDSN = s.host, s.tls, s.offers("DSN")
	}
	p.results[i] = r
	p.recipients[i].settled = true
}

// end gives the recipients that are still open a failure, and returns all results.
func (p *parcel) end(f *failure) []mail.TransferResult {
	for _, i := range p.open() {
		if f == nil {
			f = failed(mail.TransferConnection, "4.4.0", "nothing was tried")
		}
		p.settle(i, f, nil)
	}
	return p.results
}

// wirePath is an address with its domain in ASCII (RFC 5891 4.4), so that SMTPUTF8 is needed for local parts only.
func wirePath(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 || isASCII(address[at+1:]) {
		return address
	}
	domain, err := idna.Lookup.ToASCII(address[at+1:])
	if err != nil {
		return address
	}
	return address[:at+1] + domain
}

func isASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// isPath tells whether an address can stand between angle brackets: nothing in it may end the path or the command.
// A quoted local part may hold what else must not stand there (RFC 5321 4.1.2).
func isPath(s string) bool {
	if len(s) > 320 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xFFFD }) {
		return false
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 || strings.ContainsAny(s[at:], `<> "\`) {
		return false
	}
	local := s[:at]
	if local[0] != '"' {
		return !strings.ContainsAny(local, `<> "\@(),;:`)
	}
	if len(local) < 2 || local[len(local)-1] != '"' {
		return false
	}
	inner := local[1 : len(local)-1]
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case '\\':
			if i++; i == len(inner) {
				return false
			}
		case '"':
			return false
		}
	}
	return true
}
