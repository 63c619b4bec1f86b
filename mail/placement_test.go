package mail_test

import (
	"slices"
	"strings"
	"testing"

	"podmail/mail"
)

// mailboxes are an inbox's own, with two that the user made.
func mailboxes() []mail.Mailbox {
	all := mail.StandardMailboxes()
	for _, name := range []string{"Work", "Spam/Old"} {
		all = append(all, mail.Mailbox{Name: name, Label: mail.FolderLabel(name)})
	}
	for i := range all {
		all[i].ID = int64(i + 1)
	}
	return all
}

func named(t *testing.T, name string) mail.Mailbox {
	t.Helper()
	i := slices.IndexFunc(mailboxes(), func(mb mail.Mailbox) bool { return mb.Name == name })
	if i < 0 {
		t.Fatalf("there is no mailbox %s", name)
	}
	return mailboxes()[i]
}

func TestPlace(t *testing.T) {
	for _, c := range []struct{ labels, want string }{
		{"", "INBOX"},
		{"received unread", "INBOX"},
		{"sent", "Sent"},
		{"sent received", "INBOX"}, // mail to oneself
		{"draft", "Drafts"},
		{"received archive", "Archive"},
		{"received work", "Work"},
		{"received archive work", "Work"},
		{"received spam work", "Spam"},
		{"received blocked", "Spam"},
		{"received unauthenticated", "Spam"},
		{"received spam trash work", "Trash"},
		{"received spam/old", "Spam/Old"},
		{"received other", "INBOX"},
	} {
		if got := mail.Place(strings.Fields(c.labels), 0, mailboxes()); got.Name != c.want {
			t.Errorf("%q goes to %s, want %s", c.labels, got.Name, c.want)
		}
	}
}

func TestAMessageStaysAmongEquals(t *testing.T) {
	labels := []string{"received", "work", "spam/old"}
	for _, name := range []string{"Work", "Spam/Old"} {
		if got := mail.Place(labels, named(t, name).ID, mailboxes()); got.Name != name {
			t.Errorf("from %s it goes to %s", name, got.Name)
		}
	}
}

// TestMovesEndWhereTheyAimed moves between all mailboxes, from every sort of message, and asks Place.
func TestMovesEndWhereTheyAimed(t *testing.T) {
	for _, start := range []string{"received unread", "sent", "sent received", "draft", "received archive", "received work", "received spam work",
		"received blocked", "received unauthenticated spam", "received trash archive work spam/old", "sent trash bounced"} {
		for _, to := range mailboxes() {
			for _, back := range mailboxes() {
				labels := strings.Fields(start)
				at := mail.Place(labels, 0, mailboxes())
				for _, next := range []mail.Mailbox{to, back} {
					if next.ID == at.ID {
						continue
					}
					add, remove := mail.MoveLabels(labels, at, next, mailboxes())
					labels, _, _ = mail.ApplyLabels(labels, add, remove)
					got := mail.Place(labels, next.ID, mailboxes())
					if got.Name != next.Name {
						t.Errorf("%q moved from %s to %s is %q, in %s", start, at.Name, next.Name, labels, got.Name)
					}
					at = next
				}
				for _, l := range []string{"unread", "bounced"} {
					if strings.Contains(start, l) && !slices.Contains(labels, l) {
						t.Errorf("%q moved to %s and %s lost %s: %q", start, to.Name, back.Name, l, labels)
					}
				}
			}
		}
	}
}

func TestFolderLabelsMeanNothingElse(t *testing.T) {
	for name, want := range map[string]string{"Work": "work", "Sent": "folder/sent", "UNREAD": "folder/unread", "starred": "folder/starred",
		"Bounced": "folder/bounced", "deleted": "folder/deleted", "A/B": "a/b"} {
		if got := mail.FolderLabel(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
