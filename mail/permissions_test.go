package mail_test

import (
	"slices"
	"testing"

	"podmail/mail"
)

func TestAScopeBoundsWhatAKeyMay(t *testing.T) {
	types := []mail.ScopeType{mail.ScopeOrganization, mail.ScopePod, mail.ScopeInbox}
	never := map[mail.ScopeType][]mail.Permission{
		mail.ScopePod:   {mail.PodCreate, mail.PodDelete},
		mail.ScopeInbox: {mail.PodCreate, mail.PodDelete, mail.PodRead, mail.InboxCreate, mail.DomainRead, mail.DomainCreate, mail.DomainUpdate, mail.DomainDelete},
	}
	for _, scope := range types {
		for _, p := range mail.AllPermissions() {
			can := !slices.Contains(never[scope], p)
			for _, c := range []struct {
				name string
				key  mail.Permissions
				want bool
			}{
				{"unrestricted", nil, can},
				{"granted", mail.Permissions{p: true}, can},
				{"denied", mail.Permissions{p: false}, false},
				{"restricted to nothing", mail.Permissions{}, false},
			} {
				if got := c.key.Has(scope, p); got != c.want {
					t.Errorf("%s key of scope %s has %s: %v", c.name, scope, p, got)
				}
			}
		}
	}
}

func TestScopesCover(t *testing.T) {
	org, pod, inbox := mail.Scope{}, mail.Scope{Pod: 1}, mail.Scope{Pod: 1, Inbox: 2}
	for _, c := range []struct {
		outer, inner mail.Scope
		want         bool
	}{
		{org, org, true}, {org, pod, true}, {org, inbox, true},
		{pod, org, false}, {pod, pod, true}, {pod, inbox, true}, {pod, mail.Scope{Pod: 2}, false}, {pod, mail.Scope{Pod: 2, Inbox: 2}, false},
		{inbox, org, false}, {inbox, pod, false}, {inbox, inbox, true}, {inbox, mail.Scope{Pod: 1, Inbox: 3}, false}, {inbox, mail.Scope{Pod: 2, Inbox: 2}, false},
	} {
		if got := c.outer.Covers(c.inner); got != c.want {
			t.Errorf("%+v covers %+v: %v", c.outer, c.inner, got)
		}
	}
}

func TestANarrowedKeyKeepsItsOwnBounds(t *testing.T) {
	g := mail.Grant{Scope: mail.Scope{Pod: 1, Inbox: 2}, KeyScope: mail.Scope{Pod: 1}}
	if err := g.Require(mail.InboxCreate); err != nil {
		t.Errorf("a pod's key at one of its inboxes: %v", err)
	}
	if err := g.Require(mail.PodCreate); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("a pod's key may create pods: %v", err)
	}
}

func TestTokens(t *testing.T) {
	for _, c := range []mail.Cursor{{}, {Key: 1, ID: 2}, {Key: -1, ID: 1}, {Key: 1 << 62, ID: 1 << 62}, {Key: 0, ID: 7}, {Key: -1 << 63, ID: -1 << 63}} {
		if got, err := mail.ParseToken(c.Token()); err != nil || got != c {
			t.Errorf("%+v comes back as %+v, %v", c, got, err)
		}
	}
}

// FuzzToken: any text is a token or a clear error, and what is a token means one place.
func FuzzToken(f *testing.F) {
	f.Add("")
	f.Add("AQIE")
	f.Add("AQ==")
	f.Add(mail.Cursor{Key: 1700000000000, ID: 99}.Token())
	f.Fuzz(func(t *testing.T, token string) {
		c, err := mail.ParseToken(token)
		if err != nil {
			if mail.CodeOf(err) != mail.CodeInvalid {
				t.Fatal(err)
			}
			return
		}
		if again, err := mail.ParseToken(c.Token()); err != nil || again != c {
			t.Fatalf("%q is %+v, then %+v, %v", token, c, again, err)
		}
	})
}
