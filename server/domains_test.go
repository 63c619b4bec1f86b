package server_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

// statusOf is a domain's status and reason as callers see them.
func statusOf(t *testing.T, w *servertest.World, name string) string {
	t.Helper()
	d, err := w.Server.GetDomain(context.Background(), w.Org, name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(d.Status) + " " + d.Reason)
}

func reasonOf(err error) mail.Reason {
	if e, ok := errors.AsType[*mail.Error](err); ok {
		return e.Reason
	}
	return ""
}

// checkAfter moves the clock and runs the background check.
func checkAfter(t *testing.T, w *servertest.World, d time.Duration) {
	t.Helper()
	w.Clock.Step(d)
	if _, err := w.Server.CheckDomains(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func verifications(t *testing.T, w *servertest.World) (names []string) {
	t.Helper()
	var events []mail.Event
	err := w.Store.System().Read(context.Background(), func(tx storage.SystemTx) (err error) {
		events, err = tx.ListEvents(0, 1000)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == mail.EventDomainVerified {
			names = append(names, fmt.Sprint(e.Pod, " ", e.Details["domain_id"]))
		}
	}
	return names
}

func TestDomainsAreVerifiedInTheBackground(t *testing.T) {
	w := servertest.New(t)
	s, ctx := w.Server, context.Background()
	pod := w.Pod(t, "acme")
	d := w.Domain(t, pod, server.NewDomain{Name: "Acme.Example."})
	if d.Name != "acme.example" || d.Status != mail.DomainNotStarted || d.PodID != pod.PodID || len(d.Records) != 5 {
		t.Fatalf("a new domain: %+v", d)
	}
	checkAfter(t, w, 30*time.Second)
	if got := statusOf(t, w, d.Name); got != "NOT_STARTED" {
		t.Errorf("before the first check: %s", got)
	}
	checkAfter(t, w, time.Minute)
	if got := statusOf(t, w, d.Name); got != "PENDING dns_records_missing" {
		t.Errorf("nothing is published: %s", got)
	}
	w.DNS.Publish(d.Records)
	w.DNS.Set(mail.RecordTXT, d.Name, "v=spf1 -all")
	checkAfter(t, w, 2*time.Minute)
	if got := statusOf(t, w, d.Name); got != "INVALID dns_records_invalid" {
		t.Errorf("a wrong record: %s", got)
	}
	if _, err := s.CreateInbox(ctx, pod, server.NewInbox{Username: "a", Domain: d.Name}); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("an inbox at a domain that is not verified: %v", err)
	}
	w.DNS.Publish(d.Records)
	w.DNS.Down(true)
	checkAfter(t, w, 5*time.Minute)
	if got := statusOf(t, w, d.Name); got != "INVALID dns_records_invalid" {
		t.Errorf("DNS gives no answer: %s", got)
	}
	w.DNS.Down(false)
	checkAfter(t, w, 6*time.Minute)
	if got := statusOf(t, w, d.Name); got != "VERIFIED" {
		t.Fatalf("all is published: %s", got)
	}
	for range 3 {
		checkAfter(t, w, 7*time.Hour)
	}
	if got := verifications(t, w); len(got) != 1 || got[0] != fmt.Sprint(pod.Scope.Pod, " acme.example") {
		t.Errorf("events: %q", got)
	}
	if _, err := s.CreateInbox(ctx, pod, server.NewInbox{Username: "a", Domain: d.Name}); err != nil {
		t.Error(err)
	}
}

func TestVerifiedDomainOutlivesAnAccidentButNotALoss(t *testing.T) {
	w := servertest.New(t)
	s, ctx := w.Server, context.Background()
	pod := w.Pod(t, "acme")
	d := w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
	w.DNS.Set(mail.RecordMX, d.Name)
	checkAfter(t, w, 7*time.Hour)
	if got := statusOf(t, w, d.Name); got != "PENDING dns_records_missing" {
		t.Errorf("the MX is gone: %s", got)
	}
	if _, err := s.CreateInbox(ctx, pod, server.NewInbox{Username: "a", Domain: d.Name}); err != nil {
		t.Errorf("within the days of grace: %v", err)
	}
	checkAfter(t, w, 2*24*time.Hour)
	checkAfter(t, w, 2*24*time.Hour)
	if got := statusOf(t, w, d.Name); got != "FAILED dns_records_missing" {
		t.Errorf("after the days of grace: %s", got)
	}
	if _, err := s.CreateInbox(ctx, pod, server.NewInbox{Username: "b", Domain: d.Name}); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("an inbox at a domain that failed: %v", err)
	}
	if _, err := s.Recipient(ctx, "", "a@acme.example"); err != nil {
		t.Errorf("an inbox that is there no longer receives: %v", err)
	}
	if keys, err := s.SigningKeys(ctx, pod.Scope, d.Name); err != nil || len(keys) != 0 {
		t.Errorf("keys of a domain that failed: %v, %v", keys, err)
	}
	checkAfter(t, w, 2*24*time.Hour)
	if got := statusOf(t, w, d.Name); got != "FAILED dns_records_missing" {
		t.Errorf("still: %s", got)
	}
	w.DNS.Publish(d.Records)
	checkAfter(t, w, 2*24*time.Hour)
	if got := statusOf(t, w, d.Name); got != "VERIFIED" {
		t.Errorf("it is back: %s", got)
	}
	if got := verifications(t, w); len(got) != 2 {
		t.Errorf("events: %q", got)
	}
}

func TestSubdomains(t *testing.T) {
	w := servertest.New(t)
	s, ctx := w.Server, context.Background()
	pod := w.Pod(t, "acme")
	d := w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
	inbox := func(name string) error {
		_, err := s.CreateInbox(ctx, pod, server.NewInbox{Username: "a", Domain: name})
		return err
	}
	if err := inbox("x.acme.example"); reasonOf(err) != mail.ReasonUnprocessable {
		t.Errorf("subdomains are off: %v", err)
	}
	on := true
	d, err := s.UpdateDomain(ctx, pod, d.Name, server.DomainUpdate{SubdomainsEnabled: &on})
	if err != nil || d.Status != mail.DomainPending || d.Records[len(d.Records)-1].Name != "*.acme.example" {
		t.Fatalf("subdomains are on: %+v, %v", d, err)
	}
	off := false
	for _, u := range []struct {
		to   *bool
		want mail.VerificationStatus
	}{{&off, mail.DomainVerified}, {&on, mail.DomainPending}} {
		if d, err = s.UpdateDomain(ctx, pod, d.Name, server.DomainUpdate{SubdomainsEnabled: u.to}); err != nil || d.Status != u.want || (d.Reason == "") != (u.to == &off) {
			t.Fatalf("changed: %+v, %v", d, err)
		}
	}
	if err := inbox("x.acme.example"); reasonOf(err) != mail.ReasonDomainNotVerified {
		t.Errorf("the wildcard is not published: %v", err)
	}
	if err := inbox("acme.example"); err != nil {
		t.Errorf("the domain itself goes on: %v", err)
	}
	w.DNS.Publish(d.Records)
	checkAfter(t, w, 2*time.Minute)
	if got := statusOf(t, w, d.Name); got != "VERIFIED" {
		t.Fatal(got)
	}
	if err := inbox("x.acme.example"); err != nil {
		t.Error(err)
	}
	if _, err := s.Recipient(ctx, "", "a+tag@X.acme.example"); err != nil {
		t.Error(err)
	}
	if _, err := s.Recipient(ctx, "", "b@y.acme.example"); mail.CodeOf(err) != mail.CodeNotFound {
		t.Errorf("no such inbox at a subdomain: %v", err)
	}
	keys, err := s.SigningKeys(ctx, pod.Scope, "x.acme.example")
	if err != nil || len(keys) != 2 || keys[0].Domain != "acme.example" {
		t.Errorf("keys for a subdomain: %+v, %v", keys, err)
	}
}

// TestKeysSignAndStaySecret: what is published belongs to what signs, and no answer shows the private half.
func TestKeysSignAndStaySecret(t *testing.T) {
	w := servertest.New(t)
	s, ctx := w.Server, context.Background()
	pod, other := w.Pod(t, "acme"), w.Pod(t, "other")
	d := w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
	keys, err := s.SigningKeys(ctx, pod.Scope, "acme.example")
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	if _, ok := keys[0].Signer.(*rsa.PrivateKey); !ok || keys[0].Signer.Public().(*rsa.PublicKey).N.BitLen() != 2048 {
		t.Errorf("the first key: %T", keys[0].Signer)
	}
	signature, err := keys[1].Signer.Sign(rand.Reader, []byte("text"), crypto.Hash(0))
	if err != nil || !ed25519.Verify(keys[1].Signer.Public().(ed25519.PublicKey), []byte("text"), signature) {
		t.Errorf("the second key: %v", err)
	}
	if got, err := s.SigningKeys(ctx, other.Scope, "acme.example"); err != nil || len(got) != 0 {
		t.Errorf("another pod gets the keys: %v, %v", got, err)
	}
	shown, err := json.Marshal(d)
	if err != nil || strings.Contains(strings.ToLower(string(shown)), "private") {
		t.Errorf("%s, %v", shown, err)
	}
	w.Verified(t, w.Org, server.NewDomain{Name: "shared.example"})
	if got, err := s.SigningKeys(ctx, other.Scope, "shared.example"); err != nil || len(got) != 2 {
		t.Errorf("a domain of all pods: %v, %v", got, err)
	}
}

// TestNamesAreTakenOnce across pods, and a client_id gives the same domain.
func TestNamesAreTakenOnce(t *testing.T) {
	w := servertest.New(t)
	s, ctx := w.Server, context.Background()
	a, b := w.Pod(t, "a"), w.Pod(t, "b")
	first := w.Domain(t, a, server.NewDomain{Name: "acme.example", ClientID: "c"})
	for _, g := range []mail.Grant{a, b, w.Org} {
		_, err := s.CreateDomain(ctx, g, server.NewDomain{Name: "ACME.example"})
		if reasonOf(err) != mail.ReasonResourceTaken {
			t.Errorf("taken: %v", err)
		}
	}
	if _, err := s.CreateDomain(ctx, a, server.NewDomain{Name: "podmail.test"}); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("the default domain: %v", err)
	}
	if again := w.Domain(t, a, server.NewDomain{Name: "other.example", ClientID: "c"}); again.ID != first.ID {
		t.Errorf("the same client_id: %+v", again)
	}
	w.DNS.Set(mail.RecordMX, "busy.example", "aspmx.l.google.com")
	_, err := s.CreateDomain(ctx, a, server.NewDomain{Name: "busy.example"})
	if reasonOf(err) != mail.ReasonUnprocessable || !strings.Contains(err.Error(), "aspmx.l.google.com") {
		t.Errorf("another provider: %v", err)
	}
	busy := w.Domain(t, b, server.NewDomain{Name: "busy.example", AllowConflictingProvider: true, ClientID: "c"})
	w.DNS.Publish(busy.Records)
	w.DNS.Set(mail.RecordMX, "busy.example", "aspmx.l.google.com", "mx.podmail.test")
	if err := s.VerifyDomain(ctx, b, busy.Name); err != nil || statusOf(t, w, busy.Name) != "VERIFIED" {
		t.Errorf("a domain that shares its MX: %v %s", err, statusOf(t, w, busy.Name))
	}
	w.DNS.Down(true)
	w.Domain(t, a, server.NewDomain{Name: "unknown.example"})
	o, err := s.Organization(ctx, w.Org)
	if err != nil || o.DomainCount != 3 {
		t.Errorf("domains of the organization: %+v, %v", o, err)
	}
}

// TestMailToCustomDomains: of another pod, verified and not.
func TestMailToCustomDomains(t *testing.T) {
	w := servertest.New(t)
	s, ctx := w.Server, context.Background()
	a, b := w.Pod(t, "a"), w.Pod(t, "b")
	w.Verified(t, a, server.NewDomain{Name: "acme.example", SubdomainsEnabled: true})
	w.Domain(t, a, server.NewDomain{Name: "gmail.example"}) // claimed, never proved
	for _, domain := range []string{"acme.example", "x.acme.example"} {
		if _, err := s.CreateInbox(ctx, a, server.NewInbox{Username: "ann", Domain: domain}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CreateInbox(ctx, b, server.NewInbox{Username: "ben", Domain: "acme.example"}); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("an inbox at another pod's domain: %v", err)
	}
	ben := w.Inbox(t, b, "ben")
	_, err := s.Send(ctx, ben, server.SendRequest{To: []string{"ann@acme.example", "ann+tag@x.acme.example", "someone@gmail.example", "else@y.acme.example"}, Text: str("hi")})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"ann@acme.example", "ann@x.acme.example"} {
		g, err := s.InInbox(ctx, a, address)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, address+" has it", func() bool {
			got, _, err := s.ListMessages(ctx, g, mail.MessageFilter{}, mail.Page{Limit: 10})
			return err == nil && len(got) == 1
		})
	}
	queued, _, err := s.ListDeliveries(ctx, b, mail.Page{Limit: 10})
	if err != nil || len(queued) != 2 || queued[0].Courier != mail.CourierSMTP || queued[1].Courier != mail.CourierSMTP {
		t.Errorf("mail that goes elsewhere: %+v, %v", queued, err)
	}
	if _, err := s.Recipient(ctx, "", "x@gmail.example"); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("mail for a domain that was only claimed: %v", err)
	}
	w.Deliver(t, "Ann@x.ACME.example", "Subject: outside\n\nhello\n")
}

// TestDeletedDomainTakesItsInboxesAlong, more of them than fit one batch, and leaves the rest.
func TestDeletedDomainTakesItsInboxesAlong(t *testing.T) {
	w := servertest.New(t)
	s, ctx := w.Server, context.Background()
	a, b := w.Pod(t, "a"), w.Pod(t, "b")
	w.Verified(t, w.Org, server.NewDomain{Name: "shared.example", SubdomainsEnabled: true})
	w.Inbox(t, a, "stays")
	for i := range 130 {
		g, domain := a, "shared.example"
		if i%2 == 0 {
			g, domain = b, "x.shared.example"
		}
		if _, err := s.CreateInbox(ctx, g, server.NewInbox{Username: fmt.Sprintf("i%d", i), Domain: domain}); err != nil {
			t.Fatal(err)
		}
	}
	w.Deliver(t, "i1@shared.example", "Subject: x\n\nx\n")
	for _, g := range []mail.Grant{a, b} { // not theirs to see or to delete
		if err := s.DeleteDomain(ctx, g, "shared.example"); mail.CodeOf(err) != mail.CodeNotFound {
			t.Fatalf("a pod deletes what belongs to all: %v", err)
		}
	}
	if err := s.DeleteDomain(ctx, w.Org, "shared.example"); err != nil {
		t.Fatal(err)
	}
	for g, want := range map[string]int{"a": 1, "b": 0} {
		pod := map[string]mail.Grant{"a": a, "b": b}[g]
		if left, _, err := s.ListInboxes(ctx, pod, mail.Page{Limit: 500}); err != nil || len(left) != want {
			t.Errorf("pod %s has %d inboxes left: %v", g, len(left), err)
		}
	}
	if _, err := s.Recipient(ctx, "", "i1@shared.example"); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("mail is still taken: %v", err)
	}
	w.Domain(t, a, server.NewDomain{Name: "shared.example"}) // the name is free
	pod := w.Pod(t, "c")
	w.Domain(t, pod, server.NewDomain{Name: "c.example"})
	err := s.DeletePod(ctx, w.Org, pod.PodID)
	if reasonOf(err) != mail.ReasonCannotDelete || !strings.Contains(err.Error(), "0 inboxes and 1 domain") {
		t.Errorf("a pod with a domain: %v", err)
	}
	if err := s.DeleteDomain(ctx, pod, "c.example"); err != nil {
		t.Fatal(err)
	}
	if err := s.DeletePod(ctx, w.Org, pod.PodID); err != nil {
		t.Errorf("an empty pod: %v", err)
	}
}

// TestSweeperFinishesADeletion that was cut off after its first step.
func TestSweeperFinishesADeletion(t *testing.T) {
	w := servertest.New(t)
	s, ctx := w.Server, context.Background()
	pod := w.Pod(t, "acme")
	d := w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
	if _, err := s.CreateInbox(ctx, pod, server.NewInbox{Username: "a", Domain: d.Name}); err != nil {
		t.Fatal(err)
	}
	err := w.Store.For(pod.Scope).Write(ctx, func(tx storage.Tx) error { return tx.HideDomain(d, w.Clock.Now()) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateInbox(ctx, pod, server.NewInbox{Username: "b", Domain: d.Name}); reasonOf(err) != mail.ReasonDomainNotVerified {
		t.Errorf("an inbox at a domain that is being deleted: %v", err)
	}
	for more := true; more; {
		if more, err = s.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.GetInbox(ctx, pod, "a@acme.example"); mail.CodeOf(err) != mail.CodeNotFound {
		t.Errorf("the inbox is still there: %v", err)
	}
	w.Domain(t, w.Org, server.NewDomain{Name: d.Name})
}
