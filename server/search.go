package server

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/match"
	"podmail/mail/parse"
	"podmail/mail/reply"
	"podmail/storage"
)

// SearchRequest is what to look for. Before and After are exclusive; zero: no bound.
type SearchRequest struct {
	Query         string
	Before, After time.Time
	Limit         int
	PageToken     string
}

// Highlights are the fields that a query matched, with the matches between **. What it did not match is empty.
type Highlights struct{ From, Recipients, Subject, Text []string }

// FoundMessage is a message that a search found.
type FoundMessage struct {
	mail.Message
	Highlights Highlights
}

// FoundThread is a thread that a search found, by the best match among its messages.
type FoundThread struct {
	mail.Thread
	Highlights Highlights
}

// searchDepth is how many of the newest matches, of words and of parts each, a search looks at and ranks.
const searchDepth = 500

// maxIndexWait is how long a search waits for the index to have what was there when it began.
const maxIndexWait = 5 * time.Second

// SearchMessages finds messages in the grant's scope: by a part of sender, recipients or subject, or by words of the
// body, the best matches first and among equals the newest. What is hidden is left out.
func (s *Server) SearchMessages(ctx context.Context, g mail.Grant, r SearchRequest) (found []FoundMessage, next string, err error) {
	q, ranked, page, err := s.search(ctx, g, r)
	if err != nil {
		return nil, "", err
	}
	ranked, next = page.cut(ranked)
	for _, f := range ranked {
		m, h, err := s.highlight(ctx, q, f)
		if mail.CodeOf(err) == mail.CodeNotFound {
			continue // deleted meanwhile
		} else if err != nil {
			return nil, "", err
		}
		found = append(found, FoundMessage{m, h})
	}
	return found, next, nil
}

// SearchThreads finds threads by what SearchMessages finds in them.
func (s *Server) SearchThreads(ctx context.Context, g mail.Grant, r SearchRequest) (found []FoundThread, next string, err error) {
	q, ranked, page, err := s.search(ctx, g, r)
	if err != nil {
		return nil, "", err
	}
	seen := map[int64]bool{}
	ranked = slices.DeleteFunc(ranked, func(f storage.Found) bool {
		had := seen[f.Thread]
		seen[f.Thread] = true
		return had
	})
	ranked, next = page.cut(ranked)
	for _, f := range ranked {
		_, h, err := s.highlight(ctx, q, f)
		var t mail.Thread
		if err == nil {
			err = s.store.For(f.Scope).Read(ctx, func(tx storage.Tx) (err error) {
				if t, err = tx.FindThreadByID(f.Thread); err != nil {
					return err
				}
				return asSeen(tx, g, &t)
			})
			err = coded(err, "Thread")
		}
		if mail.CodeOf(err) == mail.CodeNotFound {
			continue
		} else if err != nil {
			return nil, "", err
		}
		found = append(found, FoundThread{t, h})
	}
	return found, next, nil
}

// searchPage is where a page of a search begins: so many matches down, among the messages up to a key. Messages that
// come in between two pages do not shift them.
type searchPage struct {
	offset, limit int
	upTo          int64
}

func (p searchPage) cut(all []storage.Found) (page []storage.Found, next string) {
	all = all[min(p.offset, len(all)):]
	if len(all) <= p.limit {
		return all, ""
	}
	return all[:p.limit], strconv.Itoa(p.offset+p.limit) + "." + strconv.FormatInt(p.upTo, 10)
}

func readSearchPage(r SearchRequest) (p searchPage, err error) {
	p.limit = r.Limit
	if r.PageToken == "" {
		return p, nil
	}
	offset, upTo, _ := strings.Cut(r.PageToken, ".")
	if p.offset, err = strconv.Atoi(offset); err == nil {
		p.upTo, err = strconv.ParseInt(upTo, 10, 64)
	}
	if err != nil || p.offset < 0 || p.upTo < 0 {
		return p, mail.Invalid("page_token", "is no page token of this search")
	}
	return p, nil
}

// search finds and ranks the matches.
func (s *Server) search(ctx context.Context, g mail.Grant, r SearchRequest) (q match.Query, ranked []storage.Found, page searchPage, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return q, nil, page, err
	}
	if page, err = readSearchPage(r); err != nil {
		return q, nil, page, err
	}
	if q = match.New(r.Query); q.Text == "" {
		return q, nil, page, mail.Invalid("q", "is empty")
	}
	if err := s.awaitIndex(ctx, g.Scope); err != nil {
		return q, nil, page, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		if page.upTo == 0 {
			if page.upTo, err = tx.Indexed(); err != nil {
				return err
			}
		}
		ranked, err = tx.SearchMessages(storage.Search{Text: q.Text, Words: q.Words(), UpTo: page.upTo, Before: r.Before, After: r.After, Limit: searchDepth})
		return err
	})
	rank(q, ranked)
	return q, ranked, page, coded(err, "Messages")
}

// rank sorts the best matches to the front: those in the subject weigh more than those in an address, these more than
// those in the body.
func rank(q match.Query, found []storage.Found) {
	scores := make(map[int64]int, len(found))
	for i := range found {
		f := &found[i]
		score := 4*q.Score(f.Subject) + 3*q.Score(f.Sender) + 2*q.Score(f.Recipients)
		if f.ByWords {
			score += 2
		}
		scores[f.Message] = score
	}
	slices.SortFunc(found, func(a, b storage.Found) int {
		return cmp.Or(cmp.Compare(scores[b.Message], scores[a.Message]), b.Timestamp.Compare(a.Timestamp), cmp.Compare(b.Message, a.Message))
	})
}

// awaitIndex waits until the index knows the messages of a scope that are there now. Usually it does.
func (s *Server) awaitIndex(ctx context.Context, scope mail.Scope) error {
	for deadline := time.Now().Add(maxIndexWait); ; {
		var behind bool
		err := s.store.For(scope).Read(ctx, func(tx storage.Tx) (err error) {
			behind, err = tx.IsUnindexed()
			return err
		})
		if err != nil || !behind {
			return coded(err, "Messages")
		}
		if time.Now().After(deadline) {
			return mail.Errorf(mail.CodeUnavailable, "The search index is catching up with new mail.").WithFix("Search again in a few seconds.")
		}
		s.awaited.Add(1)
		poke(s.index)
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
		s.awaited.Add(-1)
		if err := ctx.Err(); err != nil {
			return coded(err, "Messages")
		}
	}
}

// maxHighlighted is how much of a body is looked through for matches, in bytes.
const maxHighlighted = 256 << 10

// highlight reads a message that was found and marks what the query matched.
func (s *Server) highlight(ctx context.Context, q match.Query, f storage.Found) (m mail.Message, h Highlights, err error) {
	handle := s.store.For(f.Scope)
	var src source
	err = handle.Read(ctx, func(tx storage.Tx) (err error) {
		if m, err = tx.FindMessageByID(f.Message); err == nil && f.ByWords {
			src, err = findSource(tx, f.Message)
		}
		return err
	})
	if err != nil {
		return m, h, coded(err, "Message")
	}
	e := &m.Envelope
	marked := func(fields []string) (out []string) {
		for _, field := range fields {
			if text, ok := q.Mark(field); ok {
				out = append(out, text)
			}
		}
		return out
	}
	h.From, h.Subject = marked(mail.Strings(e.From)), marked([]string{e.Subject})
	h.Recipients = marked(slices.Concat(mail.Strings(e.To), mail.Strings(e.Cc), mail.Strings(e.Bcc)))
	if !f.ByWords {
		return m, h, nil
	}
	text, err := shownText(handle.Reader(ctx, src.raw), src)
	if err != nil {
		return m, h, coded(err, "Message")
	}
	for _, a := range m.Attachments {
		text += "\n" + a.Filename
	}
	h.Text = q.Fragments(text)
	return m, h, nil
}

// shownText is a message's text, or its HTML as text.
func shownText(raw io.ReaderAt, src source) (string, error) {
	if src.text != nil {
		return parse.Body(raw, src.text, maxHighlighted)
	}
	if src.html == nil {
		return "", nil
	}
	html, err := parse.Body(raw, src.html, maxHighlighted)
	return reply.ToText(html), err
}
