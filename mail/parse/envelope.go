package parse

import (
	"strings"

	"podmail/mail"
)

// readEnvelope reads an envelope from a header's fields. Of a field that stands twice the first counts; but addresses of
// all count, so that none that a reader may be shown hides behind another.
func readEnvelope(e *mail.Envelope, fields []rawField) {
	for _, f := range fields {
		switch strings.ToLower(f.name) {
		case "date":
			if e.Date == "" {
				e.Date = clean(unfold(f.value))
			}
		case "subject":
			if e.Subject == "" {
				e.Subject = clean(words(unfold(f.value)))
			}
		case "message-id":
			if ids := MessageIDs(unfold(f.value)); e.MessageID == "" && len(ids) > 0 {
				e.MessageID = ids[0]
			}
		case "in-reply-to":
			if e.InReplyTo == nil {
				e.InReplyTo = MessageIDs(unfold(f.value))
			}
		case "references":
			if e.References == nil {
				e.References = MessageIDs(unfold(f.value))
			}
		default:
			readAddressField(e, f)
		}
	}
}

func readAddressField(e *mail.Envelope, f rawField) {
	var list *[]mail.Address
	switch strings.ToLower(f.name) {
	case "from":
		list = &e.From
	case "sender":
		list = &e.Sender
	case "reply-to":
		list = &e.ReplyTo
	case "to":
		list = &e.To
	case "cc":
		list = &e.Cc
	case "bcc":
		list = &e.Bcc
	default:
		return
	}
	*list = append(*list, Addresses(unfold(f.value))...)
	*list = (*list)[:min(len(*list), maxAddresses)]
}

// maxBeen is of how many Delivered-To fields is told.
const maxBeen = 100

// traits tells how many hops a message took, where it has been and whether a program wrote it.
func traits(fields []rawField) (received int, been []string, auto bool) {
	for _, f := range fields {
		switch strings.ToLower(f.name) {
		case "received":
			received++
		case "delivered-to":
			if len(been) < maxBeen {
				been = append(been, strings.ToLower(unfold(f.value)))
			}
		default:
			auto = auto || f.automatic()
		}
	}
	return received, been, auto
}
