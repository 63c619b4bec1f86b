package session

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"podmail/imap/fetch"
	"podmail/mail"
)

// Poll tells the client what has happened in the selected mailbox. Expunges are told only if they may be (RFC 9051
// 7.5.1).
func (s *Session) Poll(expunges bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.poll(expunges)
}

func (s *Session) poll(expunges bool) error {
	sel := s.sel
	if sel == nil {
		return nil
	}
	select {
	case <-sel.wake:
		sel.woken = true
	default:
	}
	if sel.woken && !sel.settled || !sel.lazy {
		if err := s.sync(); err != nil {
			return err
		}
	}
	sel.lazy, sel.settled = false, false
	return s.Out.Gather(s.updates(expunges))
}

// sync takes in what has happened since the last time.
func (s *Session) sync() error {
	s.sel.woken = false
	changes, err := s.Server.MailboxChanges(s.ctx, s.grant, s.sel.mailbox.ID, s.sel.view.ModSeq())
	if mail.CodeOf(err) == mail.CodeNotFound && err != nil {
		return ErrGone
	} else if err != nil {
		return fmt.Errorf("looking for changes: %w", err)
	}
	s.sel.view.Apply(changes)
	return nil
}

// updates renders what the client is to be told.
func (s *Session) updates(expunges bool) []byte {
	u := s.sel.view.Take(expunges)
	var b []byte
	for _, seq := range u.Expunged {
		b = strconv.AppendUint(append(b, "* "...), uint64(seq), 10)
		b = append(b, " EXPUNGE\r\n"...)
	}
	if u.Exists {
		b = strconv.AppendUint(append(b, "* "...), uint64(s.sel.view.Len()), 10)
		b = append(b, " EXISTS\r\n"...)
	}
	for _, f := range u.Flags {
		flags := mail.Flags(f.Labels, s.sel.mailbox.Label)
		b = s.sel.announce(b, flags)
		b = appendFlagged(b, f.Seq, f.UID, flags)
	}
	return b
}

// appendFlagged writes a FETCH response with flags. It names the UID always: RFC 9051 7.5.2 lets it, and clients that
// work by UID are spared a look-up.
func appendFlagged(b []byte, seq, uid uint32, flags []string) []byte {
	b = strconv.AppendUint(append(b, "* "...), uint64(seq), 10)
	b = strconv.AppendUint(append(b, " FETCH (UID "...), uint64(uid), 10)
	b = fetch.AppendFlags(append(b, " FLAGS "...), flags)
	return append(b, ")\r\n"...)
}

// announce writes the mailbox's flags anew if there is one among flags that the client has not been told of (RFC 9051
// 7.3.5).
func (sel *selected) announce(b []byte, flags []string) []byte {
	fresh := false
	for _, f := range flags {
		if _, known := sel.keywords[f]; !known {
			sel.keywords[f] = struct{}{}
			fresh = true
		}
	}
	if !fresh {
		return b
	}
	all := make([]string, 0, len(sel.keywords))
	for f := range sel.keywords {
		all = append(all, f)
	}
	slices.Sort(all)
	b = fetch.AppendFlags(append(b, "* FLAGS "...), all)
	b = append(b, "\r\n"...)
	if sel.readOnly {
		return b
	}
	b = fetch.AppendFlags(append(b, "* OK [PERMANENTFLAGS "...), append(settable(all), `\*`))
	return append(b, "] Flags permitted\r\n"...)
}

// Idle tells the client what happens, as it happens, until stop is closed or the connection ends (RFC 9051 6.3.13).
func (s *Session) Idle(stop <-chan struct{}) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	var wake <-chan struct{}
	if s.sel != nil {
		wake = s.sel.wake
	}
	ticker := time.NewTicker(s.Options.Poll)
	defer ticker.Stop()
	for {
		select { // what was asked to end ends, whatever else is ready
		case <-stop:
			return nil
		default:
		}
		if s.sel != nil {
			if err := s.tellApart(); err != nil {
				return err
			}
		}
		select {
		case <-wake:
		case <-ticker.C:
		case <-stop:
			return nil
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// tellApart looks and tells in a goroutine of its own: the database's deep calls would leave every idle session with a
// large stack.
func (s *Session) tellApart() error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		done <- s.tell()
	}()
	return <-done
}

func (s *Session) tell() error {
	if err := s.sync(); err != nil {
		return err
	}
	b := s.updates(true)
	if len(b) == 0 {
		return nil
	}
	return s.Out.WriteNow(b)
}
