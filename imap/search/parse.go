package search

import (
	"errors"
	"slices"
	"strings"
	"time"

	"podmail/imap/tracker"
	"podmail/imap/wire"
	podmail "podmail/mail"
)

// ErrCharset is a CHARSET that is not spoken here.
var ErrCharset = errors.New("unknown charset")

const maxDepth = 100 // of nested keys

// Resolver turns the sets of a query into ranges of UIDs, by what the session knows of its mailbox.
type Resolver interface {
	Seqs(tracker.Set) ([]podmail.UIDRange, error)
	Ranges(tracker.Set) []podmail.UIDRange
	Saved() []podmail.UIDRange // "$", the last saved result (RFC 5182 2.1)
}

// Parse reads the arguments of a SEARCH command. Its errors are wire.ErrSyntax, ErrCharset, or Resolver's.
func Parse(p *wire.Parser, r Resolver) (*Query, error) {
	in := &parser{Parser: p, sets: r}
	q := &Query{}
	first := in.keyName()
	if strings.EqualFold(first, "RETURN") {
		in.returns(&q.Return)
		in.Expect(' ')
		first = in.keyName()
	}
	if strings.EqualFold(first, "CHARSET") {
		in.Expect(' ')
		switch charset := strings.ToUpper(in.AString()); {
		case in.Err() != nil:
		case charset != "US-ASCII" && charset != "UTF-8":
			return nil, ErrCharset
		}
		in.Expect(' ')
		first = in.keyName()
	}
	keys := []key{in.named(first, 0)}
	for in.Err() == nil && !in.End() {
		in.Expect(' ')
		if in.End() {
			break // a trailing space
		}
		keys = append(keys, in.key(0))
	}
	if in.Err() != nil {
		return nil, in.Err()
	}
	if in.err != nil {
		return nil, in.err
	}
	q.key = newAnd(keys)
	return q, nil
}

type parser struct {
	*wire.Parser
	sets Resolver
	err  error // of sets
}

// returns reads the list of RETURN. None, or only SAVE of those that show something, has a meaning of its own.
func (in *parser) returns(r *Return) {
	r.Extended = true
	in.Expect(' ')
	in.List(func() {
		switch name := strings.ToUpper(in.Atom()); name {
		case "MIN":
			r.Min = true
		case "MAX":
			r.Max = true
		case "ALL":
			r.All = true
		case "COUNT":
			r.Count = true
		case "SAVE":
			r.Save = true
		default:
			in.Fail("unknown result option %q", name)
		}
	})
	if *r == (Return{Extended: true}) {
		r.All = true // RFC 4731 3.1
	}
}

// keyName reads the word that a key starts with; empty at a parenthesis.
func (in *parser) keyName() string {
	if in.Peek() == '(' {
		return ""
	}
	return in.Word("a search key", func(ch byte) bool { return ch == '*' || wire.AtomChar(ch) })
}

func (in *parser) key(depth int) key { return in.named(in.keyName(), depth) }

func (in *parser) named(name string, depth int) key {
	if depth > maxDepth {
		in.Fail("search keys nested too deep")
	}
	if in.Err() != nil {
		return simple(all)
	}
	if name == "" {
		var keys []key
		in.List(func() { keys = append(keys, in.key(depth+1)) })
		if len(keys) == 0 {
			in.Fail("an empty list of search keys")
		}
		return newAnd(keys)
	}
	name = strings.ToUpper(name)
	if k := flagKey(name); k != nil {
		return k
	}
	switch name {
	case "NOT":
		in.Expect(' ')
		return not{in.key(depth + 1)}
	case "OR":
		in.Expect(' ')
		a := in.key(depth + 1)
		in.Expect(' ')
		return newOr(a, in.key(depth+1))
	case "ALL":
		return simple(all)
	case "UID":
		in.Expect(' ')
		return in.set(in.keyName(), true)
	}
	if k := in.argument(name); k != nil {
		return k
	}
	return in.set(name, false)
}

// flagKey is the key for a word about flags. \Recent is nobody's here, as in RFC 9051.
func flagKey(name string) key {
	switch name {
	case "SEEN":
		return label(podmail.LabelUnread, false)
	case "UNSEEN":
		return label(podmail.LabelUnread, true)
	case "RECENT", "NEW":
		return not{simple(all)}
	case "OLD":
		return simple(all)
	}
	word, undone := strings.CutPrefix(name, "UN")
	switch word {
	case "ANSWERED", "DELETED", "DRAFT", "FLAGGED":
		return label(podmail.KeywordLabel(`\`+word), !undone)
	}
	return nil
}

// argument reads a key with one argument, or returns nil.
func (in *parser) argument(name string) key {
	text := func() string { in.Expect(' '); return in.AString() }
	switch name {
	case "KEYWORD", "UNKEYWORD":
		in.Expect(' ')
		return label(podmail.KeywordLabel(in.Atom()), name == "KEYWORD")
	case "FROM":
		return addresses(func(e *podmail.Envelope) []podmail.Address { return e.From }, text())
	case "TO":
		return addresses(func(e *podmail.Envelope) []podmail.Address { return e.To }, text())
	case "CC":
		return addresses(func(e *podmail.Envelope) []podmail.Address { return e.Cc }, text())
	case "BCC":
		return addresses(func(e *podmail.Envelope) []podmail.Address { return e.Bcc }, text())
	case "SUBJECT":
		return subject(text())
	case "HEADER":
		field := text()
		return headerKey{field: field, text: fold(text())}
	case "BODY":
		return bodyKey{text: fold(text())}
	case "TEXT":
		return bodyKey{text: fold(text()), header: true}
	case "LARGER":
		in.Expect(' ')
		n := in.Number()
		return simple(func(m *Message) bool { return m.Size > n })
	case "SMALLER":
		in.Expect(' ')
		n := in.Number()
		return simple(func(m *Message) bool { return m.Size < n })
	}
	base, isSent := strings.CutPrefix(name, "SENT")
	var ok func(int) bool
	switch base {
	case "SINCE":
		ok = func(cmp int) bool { return cmp >= 0 }
	case "BEFORE":
		ok = func(cmp int) bool { return cmp < 0 }
	case "ON":
		ok = func(cmp int) bool { return cmp == 0 }
	default:
		return nil
	}
	day, err := time.Parse("2-Jan-2006", text())
	if err != nil {
		in.Fail("bad date")
	}
	if isSent {
		return sent(ok, day)
	}
	return internal(ok, day)
}

// set is the key for a sequence set.
func (in *parser) set(s string, uid bool) key {
	if in.Err() != nil {
		return simple(all)
	}
	if s == "$" {
		return within(in.sets.Saved())
	}
	set, err := tracker.ParseSet(s)
	if err != nil {
		if uid || s[0] < '0' || s[0] > '9' && s[0] != '*' {
			in.Fail("unknown search key %q", s)
		}
		in.Fail("bad sequence set")
		return simple(all)
	}
	if uid {
		return within(in.sets.Ranges(set))
	}
	ranges, err := in.sets.Seqs(set)
	if err != nil && in.err == nil {
		in.err = err
	}
	return within(ranges)
}

func within(ranges []podmail.UIDRange) key {
	return inRanges(ranges)
}

// inRanges holds for UIDs within ascending ranges.
type inRanges []podmail.UIDRange

func (inRanges) cost() cost { return free }

func (r inRanges) match(m *Message) (bool, error) {
	_, ok := slices.BinarySearchFunc(r, m.UID, func(r podmail.UIDRange, uid uint32) int {
		switch {
		case r.Last < uid:
			return -1
		case r.First > uid:
			return 1
		}
		return 0
	})
	return ok, nil
}

// Bounds are the ranges outside of which nothing matches; ok is false if the query does not say.
func (q *Query) Bounds() (_ []podmail.UIDRange, ok bool) {
	switch k := q.key.(type) {
	case inRanges:
		return k, true
	case and:
		for _, k := range k {
			if r, ok := k.(inRanges); ok {
				return r, true
			}
		}
	}
	return nil, false
}
