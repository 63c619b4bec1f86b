package server

import (
	"context"
	"errors"
	"slices"

	"podmail/mail"
	"podmail/storage"
)

// ListThreads lists the threads in the grant's scope by time. A thread is left out when all its messages are hidden.
func (s *Server) ListThreads(ctx context.Context, g mail.Grant, f mail.MessageFilter, p mail.Page) (threads []mail.Thread, next string, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return nil, "", err
	}
	f = s.visible(g, f)
	if slices.ContainsFunc(f.Labels, func(l string) bool { return mail.HiddenBy(l)&^readable(g) != 0 }) {
		return nil, "", nil // whatever has it is hidden
	}
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		if threads, next, err = sys.For(g.Scope).ListThreads(f, p); err != nil {
			return err
		}
		for i := range threads {
			if err := asSeen(sys.For(threads[i].Scope()), g, &threads[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return threads, next, coded(err, "Threads")
}

// threadPage is how many messages of a thread are read at a time.
const threadPage = 100

// asSeen leaves out of a thread what it has of messages that the grant may not read. tx is of the thread's inbox.
func asSeen(tx storage.Tx, g mail.Grant, t *mail.Thread) error {
	hidden := ^readable(g)
	if !t.Holds(hidden) {
		return nil
	}
	t.Rebuild(nil)
	for p := (mail.Page{Limit: threadPage, Ascending: true}); ; {
		messages, next, err := tx.ListThreadMessages(t.ID, p)
		if err != nil {
			return err
		}
		for i := range messages {
			if m := &messages[i]; mail.HiddenOf(m.Labels)&hidden == 0 {
				t.Add(m)
			}
		}
		if p.Token = next; next == "" {
			return nil
		}
	}
}

// ThreadMessage is a message with its content, as a thread shows it.
type ThreadMessage struct {
	mail.Message
	mail.Content
}

// findThread finds a thread of which the grant may read at least one message.
func findThread(tx storage.Tx, g mail.Grant, threadID string) (mail.Thread, error) {
	t, err := tx.FindThread(threadID)
	if err == nil && t.Visibility()&mail.ShownWith(readable(g)) == 0 {
		return mail.Thread{}, storage.ErrNotFound
	}
	return t, err
}

// maxThreadBodies is how many bytes of bodies, as they are encoded, a page of a thread has, unless it is one message: it
// is held in memory whole. What has no room is on the next page.
const maxThreadBodies = 16 << 20

// GetThread returns the thread and one page of its messages: the newest page first, each page in ascending order.
func (s *Server) GetThread(ctx context.Context, g mail.Grant, threadID string, p mail.Page) (t mail.Thread, messages []ThreadMessage, next string, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return t, nil, "", err
	}
	p.Ascending = false
	var page []mail.Message
	var sources []source
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) { // one snapshot: the thread is the sum of its messages
		if t, err = findThread(sys.For(g.Scope), g, threadID); err != nil {
			return err
		}
		tx := sys.For(t.Scope())
		if err := asSeen(tx, g, &t); err != nil {
			return err
		}
		if page, next, err = tx.ListThreadMessages(t.ID, p); err != nil {
			return err
		}
		page = slices.DeleteFunc(page, func(m mail.Message) bool { return mail.HiddenOf(m.Labels)&^readable(g) != 0 })
		bodies := int64(0)
		for i := range page {
			src, err := findSource(tx, page[i].ID)
			if err != nil {
				return err
			}
			if bodies += src.size(); bodies > maxThreadBodies && i > 0 {
				page, next = page[:i], storage.TokenBehind(&page[i-1])
				return nil
			}
			sources = append(sources, src)
		}
		return nil
	})
	if err != nil {
		return t, nil, "", coded(err, "Thread")
	}
	for i, m := range page {
		c, err := s.readContent(ctx, t.Scope(), sources[i])
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return t, nil, "", coded(err, "Message")
		}
		messages = append(messages, ThreadMessage{m, c})
	}
	slices.Reverse(messages)
	return t, messages, next, nil
}

// maxThreadUpdate is the number of messages from which a thread's labels can no longer be changed as one.
const maxThreadUpdate = 100

// UpdateThread adds and removes labels of every message of a thread that the grant may read (remove wins).
func (s *Server) UpdateThread(ctx context.Context, g mail.Grant, threadID string, add, remove []string) (t mail.Thread, err error) {
	if err := g.Require(mail.MessageUpdate); err != nil {
		return t, err
	}
	if add, remove, err = checkLabels(add, remove); err != nil {
		return t, err
	}
	err = s.editThread(ctx, g, threadID, func(tx storage.Tx, e *edit, have mail.Thread) error {
		if have.MessageCount >= maxThreadUpdate {
			return mail.Errorf(mail.CodeInvalid, "The thread has %d messages; labels of %d or more cannot be changed at once.", have.MessageCount, maxThreadUpdate).
				WithReason(mail.ReasonUnprocessable).WithFix("Update its messages one by one or in batches.")
		}
		messages, err := tx.ListMessagesOfThread(have.ID)
		if err != nil {
			return err
		}
		for i := range messages {
			if mail.HiddenOf(messages[i].Labels)&^readable(g) != 0 { // drafts among them
				continue
			}
			if err := e.relabel(&messages[i], add, remove); err != nil {
				return err
			}
		}
		if err := e.flush(); err != nil {
			return err
		}
		if t, err = tx.FindThreadByID(have.ID); err != nil {
			return err
		}
		return asSeen(tx, g, &t)
	})
	return t, err
}

// DeleteThread removes a thread and its messages for good, but for those that the grant may not read.
func (s *Server) DeleteThread(ctx context.Context, g mail.Grant, threadID string) error {
	if err := g.Require(mail.MessageDelete); err != nil {
		return err
	}
	return s.editThread(ctx, g, threadID, func(tx storage.Tx, e *edit, have mail.Thread) error {
		messages, err := tx.ListMessagesOfThread(have.ID)
		if err != nil {
			return err
		}
		for i := range messages {
			if mail.HiddenOf(messages[i].Labels)&^readable(g)&^mail.HiddenDraft != 0 {
				continue
			}
			if err := e.remove(&messages[i]); err != nil {
				return err
			}
		}
		return e.flush()
	})
}

// editThread finds a thread in the grant's scope and runs fn in a transaction of the thread's inbox.
func (s *Server) editThread(ctx context.Context, g mail.Grant, threadID string, fn func(storage.Tx, *edit, mail.Thread) error) error {
	now := s.clock.Now()
	var t mail.Thread
	err := s.store.System().Write(ctx, func(sys storage.SystemTx) (err error) {
		if t, err = findThread(sys.For(g.Scope), g, threadID); err != nil {
			return err
		}
		tx := sys.For(t.Scope())
		return fn(tx, s.newEdit(tx, now), t)
	})
	if err == nil {
		s.hub.Wake(t.Scope())
	}
	return coded(err, "Thread")
}
