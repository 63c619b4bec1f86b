package imap

import (
	"podmail/imap/fetch"
	"podmail/imap/tracker"
	"podmail/imap/wire"
)

// fetch answers FETCH and UID FETCH (RFC 9051 6.4.5, 6.4.9).
func (a *adapter) fetch(cmd wire.Command, byUID bool) error {
	p := wire.NewParser(cmd.Args)
	word := p.Word("a sequence set", func(ch byte) bool { return ch == '*' || wire.AtomChar(ch) })
	p.Expect(' ')
	items := fetch.ParseItems(p)
	p.ExpectEnd()
	if p.Err() != nil {
		return p.Err()
	}
	var set tracker.Set
	if word == "$" { // RFC 5182 2.1
		set, byUID = a.session.SavedSet(), true
	} else {
		var err error
		if set, err = tracker.ParseSet(word); err != nil {
			p.Fail("%v", err)
			return p.Err()
		}
	}
	return a.session.Fetch(set, byUID, items, a.utf8ok())
}
