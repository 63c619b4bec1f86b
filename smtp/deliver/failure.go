package deliver

import (
	"errors"
	"fmt"

	"podmail/mail"
)

// failure is why a transfer, or one recipient of it, broke off.
type failure struct {
	kind      mail.TransferFailure
	permanent bool
	personal  bool // the host refuses the recipient, and nothing else
	elsewhere bool // another host of the destination may do better
	code      int
	enhanced  string
	text      string
	host, tls string // where it was
}

func (f *failure) Error() string { return string(f.kind) + ": " + f.text }

// failed makes a failure of our own making. It is permanent if its enhanced code is.
func failed(kind mail.TransferFailure, enhanced, format string, args ...any) *failure {
	return &failure{kind: kind, permanent: enhanced[0] == '5', enhanced: enhanced, text: fmt.Sprintf(format, args...)}
}

func (f *failure) orElsewhere() *failure { f.elsewhere = true; return f }

// at is f, with where it was.
func (f *failure) at(host, tls string) *failure {
	if f == nil || f.host != "" {
		return f
	}
	there := *f
	there.host, there.tls = host, tls
	return &there
}

// refused is the failure that a reply tells. A reply that makes no sense at its place is a temporary one.
func refused(r reply, command string) *failure {
	f := &failure{kind: mail.TransferReply, code: r.code, enhanced: r.enhanced, text: r.text, permanent: r.permanent()}
	switch {
	case r.code == 421: // RFC 5321 3.8: the host closes the connection
		f.elsewhere = true
	case r.good() || r.goOn():
		f.enhanced, f.text = "4.5.0", fmt.Sprintf("unexpected reply to %s: %s", command, r.text)
	}
	if f.enhanced == "" {
		f.enhanced = fmt.Sprintf("%d.0.0", max(4, r.code/100))
	}
	return f
}

// tooMany tells whether a host refuses a recipient for those that it has taken beside him (RFC 5321 4.5.3.1.10), or may.
func (f *failure) tooMany() bool {
	return f.code == 452 && (f.enhanced == "4.5.3" || f.enhanced == "4.0.0") || f.code == 552 && f.enhanced == "4.5.3"
}

// lost is the failure of a connection while something was being done.
func lost(err error, doing string) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return failed(mail.TransferConnection, "4.4.2", "%s: %v", doing, err)
}

// weigh picks the failure to report of those of a destination's hosts: a temporary one before a permanent one, since
// that host may still take the message, and of equal ones what says more.
func weigh(a, b *failure) *failure {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.permanent != b.permanent:
		if a.permanent {
			return b
		}
		return a
	case weight[b.kind] >= weight[a.kind]:
		return b
	}
	return a
}

var weight = map[mail.TransferFailure]int{mail.TransferConnection: 1, mail.TransferDNS: 0, mail.TransferTLS: 2, mail.TransferContent: 3, mail.TransferReply: 4}
