// Package search reads IMAP SEARCH commands and tells whether a message matches. What comes first out of a message is
// asked first: flags, dates and sizes before the envelope, the envelope before the bytes.
//
// It knows neither sessions nor the network.
package search

import (
	"io"
	"net/mail"
	"slices"
	"strings"
	"time"

	podmail "podmail/mail"
)

// Message is what can be asked about a message. Envelope, Structure and Raw are there if the Query needs them.
type Message struct {
	Seq, UID     uint32
	Labels       []string
	InternalDate time.Time
	Size         int64
	Envelope     *podmail.Envelope
	Structure    *podmail.Part
	Raw          io.ReaderAt
}

// Query is a SEARCH command.
type Query struct {
	Return Return
	key    key
}

// Return is what the answer shall tell (RFC 4731 3.1, RFC 5182 2). Extended: in an ESEARCH response.
type Return struct {
	Extended, Min, Max, All, Count, Save bool
}

// cost is what a key needs of a message, the dearest last.
type cost uint8

const (
	free     cost = iota
	envelope      // the stored envelope
	header        // the bytes of the header
	body          // all bytes
)

// key is one condition.
type key interface {
	cost() cost
	match(m *Message) (bool, error)
}

// Match tells whether m matches. Errors are of reading Raw.
func (q *Query) Match(m *Message) (bool, error) { return q.key.match(m) }

// NeedsEnvelope tells whether messages must come with their envelope.
func (q *Query) NeedsEnvelope() bool { return needs(q.key, envelope) }

// NeedsRaw tells whether messages must come with their structure and bytes.
func (q *Query) NeedsRaw() bool { return needs(q.key, header) || needs(q.key, body) }

func needs(k key, c cost) bool {
	switch k := k.(type) {
	case and:
		return slices.ContainsFunc(k, func(k key) bool { return needs(k, c) })
	case or:
		return needs(k[0], c) || needs(k[1], c)
	case not:
		return needs(k.key, c)
	}
	return k.cost() == c
}

// and holds if all its keys do; they are in order of cost.
type and []key

func newAnd(keys []key) key {
	if len(keys) == 1 {
		return keys[0]
	}
	slices.SortStableFunc(keys, func(a, b key) int { return int(a.cost()) - int(b.cost()) })
	return and(keys)
}

func (a and) cost() (c cost) {
	for _, k := range a {
		c = max(c, k.cost())
	}
	return c
}

func (a and) match(m *Message) (bool, error) {
	for _, k := range a {
		if ok, err := k.match(m); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// or holds if one of its keys does.
type or [2]key

func newOr(a, b key) or {
	if b.cost() < a.cost() {
		a, b = b, a
	}
	return or{a, b}
}

func (o or) cost() cost { return max(o[0].cost(), o[1].cost()) }

func (o or) match(m *Message) (bool, error) {
	if ok, err := o[0].match(m); ok || err != nil {
		return ok, err
	}
	return o[1].match(m)
}

// not holds if its key does not.
type not struct{ key }

func (n not) match(m *Message) (bool, error) {
	ok, err := n.key.match(m)
	return !ok && err == nil, err
}

// simple is a key that costs nothing to ask.
type simple func(m *Message) bool

func (simple) cost() cost                       { return free }
func (s simple) match(m *Message) (bool, error) { return s(m), nil }

// enveloped is a key about the stored envelope.
type enveloped func(e *podmail.Envelope) bool

func (enveloped) cost() cost { return envelope }
func (e enveloped) match(m *Message) (bool, error) {
	return m.Envelope != nil && e(m.Envelope), nil
}

func all(*Message) bool { return true }

// label holds for messages that carry it, or with want false for those that do not.
func label(name string, want bool) key {
	return simple(func(m *Message) bool { return slices.Contains(m.Labels, name) == want })
}

// internal compares the internal date, disregarding time and timezone (RFC 9051 6.4.4).
func internal(ok func(cmp int) bool, day time.Time) key {
	return simple(func(m *Message) bool { return ok(compareDays(m.InternalDate.UTC(), day)) })
}

// sent compares the Date field, as written.
func sent(ok func(cmp int) bool, day time.Time) key {
	return enveloped(func(e *podmail.Envelope) bool {
		t, err := mail.ParseDate(e.Date)
		return err == nil && ok(compareDays(t, day))
	})
}

func compareDays(t, day time.Time) int {
	y, mo, d := t.Date()
	return time.Date(y, mo, d, 0, 0, 0, 0, time.UTC).Compare(day)
}

// addresses holds if a field of addresses contains the text, in name or address.
func addresses(of func(*podmail.Envelope) []podmail.Address, text string) key {
	text = fold(text)
	return enveloped(func(e *podmail.Envelope) bool {
		list := of(e)
		if text == "" {
			return len(list) > 0
		}
		return slices.ContainsFunc(list, func(a podmail.Address) bool { return strings.Contains(fold(a.String()), text) })
	})
}

// subject holds if the subject contains the text.
func subject(text string) key {
	text = fold(text)
	return enveloped(func(e *podmail.Envelope) bool { return strings.Contains(fold(e.Subject), text) })
}

// fold makes comparison case-insensitive (RFC 9051 6.4.4: "in a case-insensitive way", i;unicode-casemap in spirit).
func fold(s string) string { return strings.ToLower(s) }
