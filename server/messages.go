package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"podmail/mail"
	"podmail/mail/parse"
	"podmail/mail/reply"
	"podmail/storage"
)

// ListMessages lists the messages of the grant's inbox by time. What is hidden is left out unless f includes it or
// names its label.
func (s *Server) ListMessages(ctx context.Context, g mail.Grant, f mail.MessageFilter, p mail.Page) (messages []mail.Message, next string, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return nil, "", err
	}
	f = s.visible(g, f)
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		messages, next, err = tx.ListMessages(f, p)
		return err
	})
	return messages, next, coded(err, "Messages")
}

// visible settles which hidden kinds a list shows: those asked for, also by naming their label, less those that the
// key may not read.
func (s *Server) visible(g mail.Grant, f mail.MessageFilter) mail.MessageFilter {
	f.Labels = slices.Clone(f.Labels)
	for i, l := range f.Labels {
		f.Labels[i] = strings.ToLower(l)
		f.Include |= mail.HiddenBy(f.Labels[i])
	}
	f.Include &= readable(g)
	return f
}

// readable is the set of hidden kinds that the grant's permissions let it see.
func readable(g mail.Grant) mail.Hidden {
	var h mail.Hidden // drafts are no messages: whoever may read them does so as drafts
	for _, l := range []struct {
		permission mail.Permission
		hidden     mail.Hidden
	}{{mail.LabelSpamRead, mail.HiddenSpam}, {mail.LabelTrashRead, mail.HiddenTrash},
		{mail.LabelBlockedRead, mail.HiddenBlocked}, {mail.LabelUnauthenticatedRead, mail.HiddenUnauthenticated}} {
		if g.Require(l.permission) == nil {
			h |= l.hidden
		}
	}
	return h
}

// findMessage finds a message of the grant's inbox, with or without its angle brackets. What the key may not read is
// not there.
func findMessage(tx storage.Tx, g mail.Grant, messageID string) (mail.Message, error) {
	if !strings.HasPrefix(messageID, "<") {
		messageID = "<" + messageID + ">"
	}
	m, err := tx.FindMessage(messageID)
	if err == nil && mail.HiddenOf(m.Labels)&^readable(g) != 0 {
		return mail.Message{}, storage.ErrNotFound
	}
	return m, err
}

// GetMessage finds a message of the grant's inbox and reads its bodies.
func (s *Server) GetMessage(ctx context.Context, g mail.Grant, messageID string) (m mail.Message, c mail.Content, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return m, c, err
	}
	var src source
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		if m, err = findMessage(tx, g, messageID); err != nil {
			return err
		}
		src, err = findSource(tx, m.ID)
		return err
	})
	if err != nil {
		return m, c, coded(err, "Message")
	}
	c, err = s.readContent(ctx, m.Scope(), src)
	return m, c, coded(err, "Message")
}

// source is where a message's bodies are.
type source struct {
	raw                   storage.RawMessage
	text, html, structure *mail.Part
}

func findSource(tx storage.Tx, message int64) (src source, err error) {
	if src.raw, err = tx.FindRaw(message); err != nil {
		return src, err
	}
	src.text, src.html, src.structure, err = tx.FindBodies(message)
	return src, err
}

// What is read of a message for an answer of the API. The raw download has all of it.
const (
	maxBody   = 10 << 20
	maxHeader = 256 << 10
)

// size is that of the bodies, as they are encoded.
func (src *source) size() (n int64) {
	for _, p := range []*mail.Part{src.text, src.html} {
		if p != nil {
			n += p.End - p.Body
		}
	}
	return n
}

// readContent reads and decodes a message's bodies and header by their byte ranges. storage.ErrNotFound if the message
// was deleted since they were found.
func (s *Server) readContent(ctx context.Context, scope mail.Scope, src source) (c mail.Content, err error) {
	raw := s.store.For(scope).Reader(ctx, src.raw)
	if src.text != nil {
		if c.Text, err = parse.Body(raw, src.text, maxBody); err != nil {
			return c, fmt.Errorf("read text: %w", err)
		}
		c.HasText, c.ExtractedText = true, reply.Text(c.Text)
	}
	if src.html != nil {
		if c.HTML, err = parse.Body(raw, src.html, maxBody); err != nil {
			return c, fmt.Errorf("read html: %w", err)
		}
		c.HTML = s.withoutPictures(scope, c.HTML)
		c.HasHTML, c.ExtractedHTML = true, reply.HTML(c.HTML)
		if !c.HasText {
			c.ExtractedText = reply.Text(reply.ToText(c.HTML))
		}
	}
	header := make([]byte, min(src.structure.Body, maxHeader))
	if n, err := raw.ReadAt(header, 0); err != nil && !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("read header: %w", err)
	} else {
		header = header[:n]
	}
	c.Headers = map[string]string{}
	for _, f := range parse.Headers(header) {
		if _, have := c.Headers[f.Name]; !have { // the topmost of several is the latest
			c.Headers[f.Name] = f.Value
		}
	}
	return c, nil
}

// UpdateMessage adds and removes labels of a message (remove wins) and returns it with its new ones.
func (s *Server) UpdateMessage(ctx context.Context, g mail.Grant, messageID string, add, remove []string) (m mail.Message, err error) {
	if err := g.Require(mail.MessageUpdate); err != nil {
		return m, err
	}
	if add, remove, err = checkLabels(add, remove); err != nil {
		return m, err
	}
	now := s.clock.Now()
	err = s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		if m, err = findMessage(tx, g, messageID); err != nil {
			return err
		}
		e := s.newEdit(tx, now)
		if err := e.relabel(&m, add, remove); err != nil {
			return err
		}
		return e.flush()
	})
	if err == nil {
		s.hub.Wake(m.Scope())
	}
	return m, coded(err, "Message")
}

// checkLabels normalises labels that a caller wants to add and remove, and refuses those that only the server sets.
func checkLabels(add, remove []string) ([]string, []string, error) {
	if len(add) == 0 && len(remove) == 0 {
		return nil, nil, mail.Invalid("add_labels", "at least one of add_labels and remove_labels must name a label")
	}
	checked := [2][]string{}
	for i, list := range []struct {
		field  string
		labels []string
	}{{"add_labels", add}, {"remove_labels", remove}} {
		for _, l := range list.labels {
			label, err := callersLabel(list.field, l)
			if err != nil {
				return nil, nil, err
			}
			checked[i] = append(checked[i], label)
		}
	}
	return checked[0], checked[1], nil
}

func callersLabel(field, label string) (string, error) {
	label, err := mail.NormalizeLabel(label)
	if err != nil {
		return "", mail.Invalid(field, "%v", err)
	}
	if mail.SystemLabel(label) {
		return "", mail.Invalid(field, "the label %q is set by the server alone", label)
	}
	return label, nil
}

// DeleteMessage removes a message for good.
func (s *Server) DeleteMessage(ctx context.Context, g mail.Grant, messageID string) error {
	if err := g.Require(mail.MessageDelete); err != nil {
		return err
	}
	now := s.clock.Now()
	var m mail.Message
	err := s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) (err error) {
		if m, err = findMessage(tx, g, messageID); err != nil {
			return err
		}
		e := s.newEdit(tx, now)
		if err := e.remove(&m); err != nil {
			return err
		}
		return e.flush()
	})
	if err == nil {
		s.hub.Wake(m.Scope())
	}
	return coded(err, "Message")
}
