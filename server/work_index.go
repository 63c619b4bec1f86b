package server

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/match"
	"podmail/mail/parse"
	"podmail/storage"
)

// The indexer takes a few messages at a time and stands back, for a while, as long as others write: search may trail a
// delivery by a moment, a delivery waits for nothing.
const (
	indexBatch = 20
	quietTime  = 10 * time.Millisecond
	maxWait    = 200 // quiet times, after which a batch is due however busy it is
)

// IndexMessages adds messages that the full-text index does not have yet. Up to where it has them is known in the same
// transaction, so a crash loses nothing. It is a step of Run.
func (s *Server) IndexMessages(ctx context.Context) (more bool, err error) {
	var jobs []storage.Job
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		jobs, err = tx.ListUnindexed(indexBatch)
		return err
	})
	if err != nil {
		return false, err
	}
	if len(jobs) == 0 || !s.standBack(ctx) {
		return false, nil
	}
	docs := make([]storage.SearchDocument, len(jobs))
	for i, job := range jobs {
		if docs[i], err = s.searchDocument(ctx, job); err != nil {
			return false, err
		}
	}
	err = s.store.System().Unhurried().Write(ctx, func(sys storage.SystemTx) error {
		for i, job := range jobs {
			if err := sys.For(job.Scope).IndexMessage(docs[i]); err != nil {
				return err
			}
		}
		return sys.SetIndexed(jobs[len(jobs)-1].ID)
	})
	return len(jobs) == indexBatch, err
}

// standBack waits until nobody has written for a moment. It returns false if ctx ended.
func (s *Server) standBack(ctx context.Context) bool {
	for range maxWait {
		if s.awaited.Load() > 0 {
			break
		}
		before := s.store.Writes()
		select {
		case <-ctx.Done():
			return false
		case <-time.After(quietTime):
		}
		if s.store.Writes() == before {
			break
		}
	}
	return true
}

// searchDocument reads what the index is to know of a message. One that is deleted meanwhile gives an empty document.
func (s *Server) searchDocument(ctx context.Context, job storage.Job) (d storage.SearchDocument, err error) {
	h := s.store.For(job.Scope)
	var m mail.Message
	var raw storage.RawMessage
	d.Message = job.ID
	err = h.Read(ctx, func(tx storage.Tx) (err error) {
		if m, err = tx.FindMessageByID(job.ID); err != nil {
			return err
		}
		raw, err = tx.FindRaw(job.ID)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return d, nil
	} else if err != nil {
		return d, err
	}
	body, err := parse.SearchText(io.NewSectionReader(h.Reader(ctx, raw), 0, raw.Size))
	if err != nil {
		return d, err
	}
	e := &m.Envelope
	d.Parts = strings.Join(mail.Strings(slices.Concat(e.From, e.To, e.Cc, e.Bcc)), "\n") + "\n" + e.Subject
	d.Words = match.Words(d.Parts + "\n" + body)
	return d, nil
}
