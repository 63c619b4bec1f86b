package server

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"podmail/mail"
	"podmail/mail/match"
	"podmail/storage"
)

// maxInboxesFound is how many inboxes a search looks at and ranks.
const maxInboxesFound = 1000

// inboxWords are the words by which an inbox is found: those of its address and of its display name.
func inboxWords(i *mail.Inbox) []string {
	words := match.New(i.Address + " " + i.DisplayName).Words()
	slices.Sort(words)
	return slices.Compact(words)
}

// SearchInboxes finds inboxes in the grant's scope by the beginnings of words of their addresses and display names, the
// best match first. token is where the page begins.
func (s *Server) SearchInboxes(ctx context.Context, g mail.Grant, query string, limit int, token string) (found []mail.Inbox, next string, err error) {
	if err := g.Require(mail.InboxRead); err != nil {
		return nil, "", err
	}
	page, err := readSearchPage(SearchRequest{Limit: limit, PageToken: token})
	if err != nil {
		return nil, "", err
	}
	q := match.New(query)
	words := q.Words()
	if len(words) == 0 {
		return nil, "", nil
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		found, err = tx.SearchInboxes(words, maxInboxesFound)
		return err
	})
	if err != nil {
		return nil, "", coded(err, "Inboxes")
	}
	slices.SortFunc(found, func(a, b mail.Inbox) int {
		return cmp.Or(cmp.Compare(inboxScore(q, &b), inboxScore(q, &a)), cmp.Compare(a.Address, b.Address))
	})
	found = found[min(page.offset, len(found)):]
	if len(found) > limit {
		found, next = found[:limit], strconv.Itoa(page.offset+limit)+".0"
	}
	return found, next, nil
}

// inboxScore puts an exact address or name first, then what begins with the query.
func inboxScore(q match.Query, i *mail.Inbox) int {
	local, _, _ := mail.SplitAddress(i.Address)
	best := 0
	for _, field := range []string{i.Address, local, i.DisplayName} {
		score := 2 * q.Score(field)
		if strings.HasPrefix(strings.ToLower(field), strings.ToLower(q.Text)) {
			score++
		}
		best = max(best, score)
	}
	return best
}

// indexInboxes gives the inboxes of a file from before there was an index their words.
func (s *Server) indexInboxes(ctx context.Context) error {
	done, page := false, mail.Page{Limit: 500, Ascending: true}
	for {
		var inboxes []mail.Inbox
		err := s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
			if done, err = tx.InboxesIndexed(); err != nil || done {
				return err
			}
			inboxes, page.Token, err = tx.ListInboxes(page)
			return err
		})
		if err != nil || done {
			return err
		}
		err = s.store.System().Write(ctx, func(sys storage.SystemTx) error {
			for i := range inboxes {
				err := sys.For(inboxes[i].Scope()).SetInboxWords(inboxWords(&inboxes[i]))
				if err != nil && !errors.Is(err, storage.ErrGone) {
					return err
				}
			}
			if page.Token == "" {
				return sys.SetInboxesIndexed()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
