package session

import (
	"errors"
	"slices"

	"podmail/imap/tracker"
	"podmail/mail"
)

// selected is the mailbox that a session has open.
type selected struct {
	mailbox  mail.Mailbox
	readOnly bool
	view     *tracker.Mailbox
	wake     <-chan struct{}
	unwatch  func()
	keywords map[string]struct{} // that a FLAGS response has named
	saved    []uint32            // UIDs of the last SEARCH RETURN (SAVE)
	lazy     bool                // the command that runs need not look for news unless woken
	settled  bool                // it has seen that there is no news but its own
	woken    bool                // and nobody has looked since
}

// Opened is what SELECT answers.
type Opened struct {
	Messages       uint32
	UIDNext        uint32
	UIDValidity    uint32
	Flags          []string
	PermanentFlags []string // without \*
	Mailbox        mail.Mailbox
}

var (
	// ErrNotSelected is a command for a selected mailbox when there is none.
	ErrNotSelected = errors.New("no mailbox is selected")
	// ErrReadOnly is a change to a mailbox that was opened with EXAMINE.
	ErrReadOnly = errors.New("the mailbox is read-only")
	// ErrGone is a selected mailbox that has been deleted meanwhile.
	ErrGone = errors.New("the mailbox has been deleted")
)

// Select opens a mailbox, after closing the one that is open.
func (s *Session) Select(name string, readOnly bool) (Opened, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unselect()
	// Watch before looking, so that what comes between the two wakes us.
	wake, unwatch := s.Server.Watch(s.grant)
	snapshot, err := s.Server.SelectMailbox(s.ctx, s.grant, name)
	if err != nil {
		unwatch()
		return Opened{}, err
	}
	mb := snapshot.Mailbox
	sel := &selected{
		mailbox: mb, readOnly: readOnly, wake: wake, unwatch: unwatch,
		view:     tracker.New(snapshot.UIDs, mb.UIDNext, mb.ModSeq),
		keywords: map[string]struct{}{},
	}
	s.sel = sel
	flags := mailboxFlags(snapshot.Labels, mb.Label)
	for _, f := range flags {
		sel.keywords[f] = struct{}{}
	}
	opened := Opened{
		Messages: sel.view.Len(), UIDNext: mb.UIDNext, UIDValidity: mb.UIDValidity, Flags: flags, Mailbox: mb,
	}
	if !readOnly {
		opened.PermanentFlags = settable(flags)
	}
	return opened, nil
}

// Unselect closes the selected mailbox.
func (s *Session) Unselect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unselect()
}

func (s *Session) unselect() {
	if s.sel != nil {
		s.sel.unwatch()
		s.sel = nil
	}
}

// mailboxFlags are the flags that a mailbox knows: the system's, and the keywords in use.
func mailboxFlags(labels []string, here string) []string {
	flags := []string{mail.FlagAnswered, mail.FlagFlagged, mail.FlagDeleted, mail.FlagSeen, mail.FlagDraft, mail.FlagForwarded}
	for _, f := range mail.Flags(labels, here) {
		if !slices.Contains(flags, f) {
			flags = append(flags, f)
		}
	}
	return flags
}

// settable picks the flags that a client can change.
func settable(flags []string) []string {
	var out []string
	for _, f := range flags {
		if add, remove := mail.FlagChange([]string{f}, nil); len(add)+len(remove) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// writable returns the selected mailbox if it may be changed.
func (s *Session) writable() (*selected, error) {
	switch {
	case s.sel == nil:
		return nil, ErrNotSelected
	case s.sel.readOnly:
		return nil, ErrReadOnly
	}
	return s.sel, nil
}

// ranges turns a sequence set of the client's into UIDs.
func (sel *selected) ranges(set tracker.Set, byUID bool) ([]mail.UIDRange, error) {
	if byUID {
		return sel.view.Ranges(set), nil
	}
	return sel.view.Seqs(set)
}
