package fetch

import (
	"podmail/mail"
)

// appendEnvelope writes ENVELOPE (RFC 9051 7.5.2).
func appendEnvelope(b []byte, e *mail.Envelope, utf8ok bool) []byte {
	if e == nil {
		e = &mail.Envelope{}
	}
	b = append(b, '(')
	b = appendNString(b, e.Date, utf8ok)
	b = append(b, ' ')
	b = appendText(b, e.Subject, utf8ok)
	sender, replyTo := e.Sender, e.ReplyTo
	if len(sender) == 0 { // "the server sets the corresponding member of the envelope to be the same value as from"
		sender = e.From
	}
	if len(replyTo) == 0 {
		replyTo = e.From
	}
	for _, list := range [...][]mail.Address{e.From, sender, replyTo, e.To, e.Cc, e.Bcc} {
		b = append(b, ' ')
		b = appendAddresses(b, list, utf8ok)
	}
	b = append(b, ' ')
	switch len(e.InReplyTo) {
	case 0:
		b = append(b, "NIL"...)
	case 1:
		b = appendNString(b, e.InReplyTo[0], utf8ok)
	default:
		var ids []byte
		for i, id := range e.InReplyTo {
			if i > 0 {
				ids = append(ids, ' ')
			}
			ids = append(ids, id...)
		}
		b = appendNString(b, string(ids), utf8ok)
	}
	b = append(b, ' ')
	b = appendNString(b, e.MessageID, utf8ok)
	return append(b, ')')
}

func appendAddresses(b []byte, list []mail.Address, utf8ok bool) []byte {
	if len(list) == 0 {
		return append(b, "NIL"...)
	}
	b = append(b, '(')
	for _, a := range list {
		b = append(b, '(')
		b = appendPhrase(b, a.Name, utf8ok)
		b = append(b, " NIL "...) // addr-adl: the source route, obsolete
		if a.Host == "" {
			b = appendPhrase(b, a.Mailbox, utf8ok) // a group's name, or its end
		} else {
			b = appendString(b, a.Mailbox, utf8ok)
		}
		b = append(b, ' ')
		b = appendNString(b, a.Host, utf8ok)
		b = append(b, ')')
	}
	return append(b, ')')
}
