package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	netmail "net/mail"

	"podmail/mail"
	"podmail/mail/compose"
	"podmail/mail/parse"
)

// MaySend checks that the grant (an inbox's) may send under this reverse-path: its address or a sub-address of it.
// CodeForbidden if not.
func (s *Server) MaySend(ctx context.Context, g mail.Grant, reversePath string) error {
	if err := g.Require(mail.MessageSend); err != nil {
		return err
	}
	if inboxAddress(reversePath) != g.InboxID {
		return mail.Errorf(mail.CodeForbidden, "The sender must be %s.", g.InboxID).WithFix("Log in with the inbox that you send from.")
	}
	return nil
}

// Submit stores a message that a mail client handed in as sent, with a queue row for each recipient; or, if it is to be
// held, as a draft that is sent then. From and
// Sender must be the inbox, and no field stand twice: CodeForbidden otherwise. A Date or Message-ID that is missing, or is
// none, is made up, and Bcc taken out (RFC 6409 8, RFC 5322 3.6.3).
func (s *Server) Submit(ctx context.Context, g mail.Grant, in Incoming) (mail.Message, error) {
	ctx = s.traced(ctx)
	if err := s.MaySend(ctx, g, in.ReversePath); err != nil {
		return mail.Message{}, err
	}
	inbox, err := s.findInbox(ctx, g, g.InboxID)
	if err != nil {
		return mail.Message{}, err
	}
	header, rest, err := splitHeader(in.Body)
	if err != nil {
		return mail.Message{}, err
	}
	p, err := parse.Message(bytes.NewReader(header))
	if err != nil {
		return mail.Message{}, err
	}
	if err := s.checkHeader(g, header); err != nil {
		return mail.Message{}, err
	}
	header, err = s.completeHeader(ctx, in, header, p)
	if err != nil {
		return mail.Message{}, err
	}
	c, err := s.stage(ctx, []int64{inbox.Pod}, io.MultiReader(bytes.NewReader(header), rest))
	if err != nil {
		return mail.Message{}, err
	}
	defer s.discard(c)
	out := &outgoing{inbox: inbox, reversePath: in.ReversePath, labels: []string{mail.LabelSent}, bcc: p.Envelope.Bcc, handling: in.Handling}
	out.envelopeOf(in)
	if err := s.mayReach(ctx, out); err != nil {
		return mail.Message{}, coded(err, "Inbox")
	}
	if in.ReleaseAt.After(s.clock.Now()) {
		return s.hold(ctx, out, c, in.ReleaseAt)
	}
	return s.storeSent(ctx, out, c)
}

// envelopeOf takes a submission's envelope. A recipient who is named twice is told of as he was first.
func (o *outgoing) envelopeOf(in Incoming) {
	o.reporting = map[string]mail.Reporting{}
	seen := map[string]bool{}
	for i, r := range in.Recipients {
		if address := asciiAddress(r); !seen[address] {
			seen[address] = true
			o.recipients = append(o.recipients, r)
			var reporting mail.Reporting
			if i < len(in.Reporting) {
				reporting = in.Reporting[i]
			}
			if reporting.Notify == "" { // what mail programs rely on without asking (RFC 3461 4.1)
				reporting.Notify = "FAILURE,DELAY"
			}
			o.reporting[r] = reporting
		}
	}
}

// checkHeader refuses a message that claims to be of somebody else, or that readers may see otherwise than we do: of
// fields that stand twice, each program shows, signs and judges another.
func (s *Server) checkHeader(g mail.Grant, header []byte) error {
	for _, name := range []string{"From", "Sender"} {
		authors, sure := parse.Authors(header, name)
		if name == "From" && len(authors) == 0 && sure {
			return mail.Errorf(mail.CodeInvalid, "The message has no From field with an address.")
		}
		for _, a := range authors {
			if inboxAddress(a.Addr()) != g.InboxID {
				return mail.Errorf(mail.CodeForbidden, "The %s field must be %s.", name, g.InboxID).WithFix("Log in with the inbox that you send from.")
			}
		}
		if !sure {
			return mail.Errorf(mail.CodeForbidden, "The %s field must be %s, and this cannot be read to its end in one way only.", name, g.InboxID).
				WithFix("Write the address once, and nothing after it.")
		}
	}
	if name := parse.Repeated(header); name != "" {
		return mail.Errorf(mail.CodeForbidden, "A message has one %s field, and this has more (RFC 5322 3.6).", name).WithFix("Write one field with all that belongs there.")
	}
	return nil
}

// completeHeader makes the header that leaves: our Received on top, Bcc gone, and a Message-ID and a Date that can be read
// (RFC 6409 8.2, 8.3), in place of those that cannot.
func (s *Server) completeHeader(ctx context.Context, in Incoming, header []byte, p *mail.Parsed) ([]byte, error) {
	now := s.clock.Now()
	hop := compose.Hop{By: s.hostname, Protocol: in.Session.Protocol, TLS: in.Session.TLS, ID: mail.TraceID(ctx), Time: now} // not where the user sits
	top, gone := compose.Received(hop), []string{"Bcc", "Resent-Bcc"}
	if p.Envelope.MessageID == "" {
		id, err := s.newMessageID()
		if err != nil {
			return nil, err
		}
		top, gone = top+"Message-ID: "+id+"\r\n", append(gone, "Message-ID")
	}
	if _, err := netmail.ParseDate(p.Envelope.Date); err != nil {
		top, gone = top+"Date: "+now.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")+"\r\n", append(gone, "Date")
	}
	return append([]byte(top), parse.WithoutFields(header, gone...)...), nil
}

// maxSubmittedHeader bounds the header of a submission, which is looked through before the body is read: to its end, so no
// more than mail/parse reads of one.
const maxSubmittedHeader = 256 << 10

// splitHeader reads a message's header, with the empty line that ends it.
func splitHeader(r io.Reader) (header []byte, rest io.Reader, err error) {
	buf := make([]byte, 0, 8<<10)
	for {
		from := max(0, len(buf)-3)
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if i := bytes.Index(buf[from:], []byte("\r\n\r\n")); i >= 0 && from+i+4 <= maxSubmittedHeader {
			end := from + i + 4
			return buf[:end:end], io.MultiReader(bytes.NewReader(buf[end:]), r), nil
		}
		switch {
		case len(buf) > maxSubmittedHeader:
			return nil, nil, mail.Errorf(mail.CodeTooLarge, "The message's header is larger than %d bytes.", maxSubmittedHeader)
		case err == io.EOF:
			return append(buf, "\r\n"...), bytes.NewReader(nil), nil
		case err != nil:
			return nil, nil, fmt.Errorf("read header: %w", err)
		}
	}
}
