package server_test

import (
	"context"
	"fmt"
	"testing"

	"podmail/mail"
	"podmail/server/servertest"
)

// TestAnInboxIsFoundAmongManyOfItsDomain looks for single inboxes among more that share words with them than a search
// ranks.
func TestAnInboxIsFoundAmongManyOfItsDomain(t *testing.T) {
	w := servertest.New(t)
	pod := w.Pod(t, "many")
	const many = 1100
	for i := range many {
		w.Inbox(t, pod, fmt.Sprintf("agent-%04d", i))
	}
	other := w.Pod(t, "other")
	w.Inbox(t, other, "agent-other")
	for _, g := range []mail.Grant{w.Org, pod} {
		for _, c := range []struct{ query, want string }{
			{"agent-1099@podmail.test", "agent-1099@podmail.test"},
			{"agent 1098", "agent-1098@podmail.test"},
			{"1097 podmail", "agent-1097@podmail.test"},
		} {
			found, _, err := w.Server.SearchInboxes(context.Background(), g, c.query, 10, "")
			if err != nil || len(found) != 1 || found[0].Address != c.want {
				t.Errorf("%s: found %v, %v", c.query, found, err)
			}
		}
	}
	if found, _, err := w.Server.SearchInboxes(context.Background(), pod, "agent other", 10, ""); err != nil || len(found) != 0 {
		t.Errorf("an inbox of another pod was found: %v, %v", found, err)
	}
}
