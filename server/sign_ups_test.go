package server_test

import (
	"context"
	"regexp"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// latestCode waits for the code in the human's inbox.
func latestCode(t *testing.T, s *server.Server, human mail.Grant, mails int) string {
	t.Helper()
	ctx := context.Background()
	for range 200 {
		if _, err := s.DeliverDue(ctx); err != nil {
			t.Fatal(err)
		}
		messages, _, err := s.ListMessages(ctx, human, mail.MessageFilter{}, mail.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		if len(messages) == mails {
			_, content, err := s.GetMessage(ctx, human, messages[0].MessageID)
			if err != nil {
				t.Fatal(err)
			}
			return regexp.MustCompile(`\b\d{6}\b`).FindString(content.Text)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no code arrived")
	return ""
}

// TestAgentSignUp: the whole way of an agent, and the ways that are closed.
func TestAgentSignUp(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t, func(o *server.Options) { o.AgentSignUp = true })
	s := w.Server
	human := w.Inbox(t, w.Org, "zoe")
	up := server.NewSignUp{HumanEmail: "Zoe <ZOE@podmail.test>", Username: "my-agent", Source: "test"}
	inbox, first, err := s.SignUp(ctx, up)
	if err != nil || inbox.Address != "my-agent@podmail.test" {
		t.Fatal(inbox, err)
	}
	code := latestCode(t, s, human, 1)

	// Again: the same inbox, another key, and no other code while that one is good.
	again, secret, err := s.SignUp(ctx, server.NewSignUp{HumanEmail: "zoe@podmail.test", Username: "other"})
	if err != nil || again.Address != inbox.Address || secret == first {
		t.Fatal(again, err)
	}
	if _, err := s.Authenticate(ctx, first); mail.CodeOf(err) != mail.CodeUnauthenticated {
		t.Errorf("the key before: %v", err)
	}
	g, err := s.Authenticate(ctx, secret)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.InInbox(ctx, g, inbox.Address)
	if err != nil {
		t.Fatal(err)
	}
	send := func(to string) error {
		_, err := s.Send(ctx, in, server.SendRequest{To: []string{to}, Text: str("hello")})
		return err
	}
	if err := send("zoe@podmail.test"); err != nil {
		t.Errorf("to the human: %v", err)
	}
	if err := send("eve@example.org"); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("to another: %v", err)
	}
	if _, err := s.CreateListEntry(ctx, in, server.List{Direction: mail.DirectionSend, Type: mail.ListAllow}, server.NewListEntry{Entry: "eve@example.org"}); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("a list of its own: %v", err)
	}
	if _, _, err := s.CreateAPIKey(ctx, g, server.NewAPIKey{}); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("a key of its own: %v", err)
	}

	if err := s.VerifySignUp(ctx, g, "x"+code); mail.CodeOf(err) != mail.CodeInvalid {
		t.Errorf("a wrong code: %v", err)
	}
	if err := s.VerifySignUp(ctx, g, code); err != nil {
		t.Fatal(err)
	}
	if g, err = s.Authenticate(ctx, secret); err != nil || g.Permissions.Restricted() {
		t.Errorf("the key once it is verified: %+v %v", g, err)
	}
	if err := send("eve@example.org"); err != nil {
		t.Errorf("to another, verified: %v", err)
	}
	if err := s.VerifySignUp(ctx, g, "000000"); err != nil {
		t.Errorf("verified already: %v", err)
	}
	if _, _, err := s.SignUp(ctx, up); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("to take over a verified agent: %v", err)
	}
}

// TestWrongCodesLock: ten of them, for a day, in which the right one is refused too and no other is mailed.
func TestWrongCodesLock(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t, func(o *server.Options) { o.AgentSignUp = true })
	s := w.Server
	human := w.Inbox(t, w.Org, "zoe")
	up := server.NewSignUp{HumanEmail: "zoe@podmail.test", Username: "my-agent"}
	_, secret, err := s.SignUp(ctx, up)
	if err != nil {
		t.Fatal(err)
	}
	code := latestCode(t, s, human, 1)
	g, err := s.Authenticate(ctx, secret)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := s.VerifySignUp(ctx, g, "wrong"); mail.CodeOf(err) != mail.CodeInvalid {
			t.Fatal(err)
		}
	}
	if e, _ := s.VerifySignUp(ctx, g, code).(*mail.Error); e == nil || e.Code != mail.CodeRateLimited || e.RetryAfter < 23*time.Hour {
		t.Errorf("the right code: %v", e)
	}
	if _, _, err := s.SignUp(ctx, up); mail.CodeOf(err) != mail.CodeRateLimited {
		t.Errorf("another code: %v", err)
	}
	w.Clock.Step(25 * time.Hour)
	if err := s.VerifySignUp(ctx, g, code); mail.CodeOf(err) != mail.CodeInvalid {
		t.Errorf("the old code: %v", err)
	}
	_, secret, err = s.SignUp(ctx, up)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = s.Authenticate(ctx, secret); err != nil {
		t.Fatal(err)
	}
	if err := s.VerifySignUp(ctx, g, latestCode(t, s, human, 2)); err != nil {
		t.Errorf("the new code: %v", err)
	}
}
