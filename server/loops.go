package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"podmail/mail"
	"podmail/mail/parse"
	"podmail/storage"
)

// This file cuts loops that lead through other hosts. A message with too many Received fields is refused (maxReceived).
// Before that an inbox takes what it had itself only once more:
//
//   - What it sent, and a list or a forward brings back, is kept beside the sent message, read and labelled automatic. It
//     is no event: an agent that is told of mail would answer itself, and the list would bring that back too. If it comes
//     again, the inbox has it.
//   - What came in here, and was handed on by somebody who reads the inbox, comes back with our Received field: the inbox
//     has it.
//
// Nothing else that bears the same Message-ID is touched: whoever writes to somebody and to a list of his means it twice.

// maxHopsRead is how much of a message is searched for our Received fields.
const maxHopsRead = 64 << 10

// passages are the ids under which a message that comes in was here before. hops are its Received fields, ours included.
func (s *Server) passages(ctx context.Context, c *content, hops int) (ids []string, err error) {
	if hops < 2 {
		return nil, nil
	}
	header, err := io.ReadAll(io.LimitReader(s.open(ctx, c), maxHopsRead))
	if err != nil {
		return nil, err
	}
	if end := bytes.Index(header, []byte("\r\n\r\n")); end >= 0 {
		header = header[:end+2]
	}
	if !bytes.Contains(header, []byte(s.hostname)) { // as nearly all mail
		return nil, nil
	}
	return parse.ReceivedIDs(header, s.hostname), nil
}

// names tells whether a message names an address among those who wrote it. Lists that put their own address into From name
// the author in Reply-To or Cc.
func names(e *mail.Envelope, address string) bool {
	is := func(a mail.Address) bool { return inboxAddress(a.Addr()) == address }
	return slices.ContainsFunc(e.From, is) || slices.ContainsFunc(e.ReplyTo, is) || slices.ContainsFunc(e.Sender, is) || slices.ContainsFunc(e.Cc, is)
}

// recognize tells whether the handle's inbox has the message already, or had sent it.
func (f *filing) recognize(tx storage.Tx) error {
	e := &f.message.Envelope
	if !f.familiar && len(f.passages) == 0 || e.MessageID == "" {
		return nil
	}
	m, err := tx.FindMessage(e.MessageID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil
	case err != nil:
		return err
	case slices.Contains(m.Labels, mail.LabelReceived):
		f.arrived = slices.Contains(f.passages, m.TraceID) && !slices.Contains(m.Labels, mail.LabelTrash) // from where it may be gone soon
		return nil
	case !slices.Contains(m.Labels, mail.LabelSent) || strings.TrimSpace(m.Envelope.Date) != strings.TrimSpace(e.Date):
		return nil
	}
	thread, err := tx.ListMessagesOfThread(m.Thread)
	if err != nil {
		return err
	}
	f.arrived = slices.ContainsFunc(thread, func(other mail.Message) bool { return other.ID != m.ID && other.Envelope.MessageID == e.MessageID })
	f.returned = !f.arrived
	if f.returned {
		f.message.Labels, _, _ = mail.ApplyLabels(f.message.Labels, []string{mail.LabelAutomatic}, []string{mail.LabelUnread})
	}
	return nil
}
