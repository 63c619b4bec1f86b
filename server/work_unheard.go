package server

import (
	"context"
	"time"

	"podmail/storage"
)

const (
	unheardEvery = 10 * time.Second // so that a start finds few messages behind the last note
	unheardBatch = 1000             // rows in one transaction
)

// NoteUnheard writes down whose senders may not know that their messages were taken. It is a step of Run. Who is not
// among them once a message is stored has heard of it, so the newest message is looked up first.
func (s *Server) NoteUnheard(ctx context.Context) (more bool, err error) {
	if !s.unheard.hasChanged() {
		return false, nil
	}
	system := s.store.System().Unhurried()
	var newest int64
	if err := system.Read(ctx, func(tx storage.SystemTx) (err error) {
		newest, err = tx.FindNewestMessage()
		return err
	}); err != nil {
		return false, err
	}
	note := s.unheard.take(unheardBatch, s.clock.Now())
	err = system.Write(ctx, func(tx storage.SystemTx) error {
		for _, m := range note.added {
			if err := tx.InsertUnheard(m); err != nil {
				return err
			}
		}
		for _, id := range note.gone {
			if err := tx.DeleteUnheard(id); err != nil {
				return err
			}
		}
		if !note.whole {
			return nil
		}
		return tx.SetHeard(newest)
	})
	if err != nil {
		s.unheard.giveBack(note)
	}
	return !note.whole && err == nil, err
}

// lastUnheard is the last note when the server stops.
func (s *Server) lastUnheard(ctx context.Context) {
	for more := true; more; {
		var err error
		if more, err = s.NoteUnheard(context.WithoutCancel(ctx)); err != nil {
			s.log.Error("it is not written down whose senders may not know that their mail was taken; the next start finds out", "error", err)
		}
	}
}
