package server_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// signing is the selectors of the keys that sign mail from a domain.
func signing(t *testing.T, w *servertest.World, scope mail.Scope, domain string) string {
	t.Helper()
	keys, err := w.Server.SigningKeys(context.Background(), scope, domain)
	if err != nil {
		t.Fatal(err)
	}
	var selectors []string
	for _, k := range keys {
		selectors = append(selectors, k.Selector)
	}
	return strings.Join(selectors, " ")
}

// keyRecords are the records of a domain's keys: selector, status, and why.
func keyRecords(d mail.Domain) (records []string) {
	for _, r := range d.Records {
		if selector, _, ok := strings.Cut(r.Name, "._domainkey."); ok {
			records = append(records, strings.TrimSpace(fmt.Sprint(selector, " ", r.Status, " ", r.Why())))
		}
	}
	return records
}

func expectRecords(t *testing.T, w *servertest.World, name, when string, want ...string) mail.Domain {
	t.Helper()
	d, err := w.Server.GetDomain(context.Background(), w.Org, name)
	if err != nil {
		t.Fatal(err)
	}
	if got := keyRecords(d); !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", when, got, want)
	}
	return d
}

// TestKeyRotation: new keys sign once they are published, not before; the domain is served all the time, and the old
// keys' records are asked for until their overlap is over.
func TestKeyRotation(t *testing.T) {
	const before, next = "podmail podmail-ed25519", "podmail-20260102 podmail-20260102-ed25519"
	w := servertest.New(t)
	s, ctx := w.Server, context.Background()
	pod := w.Pod(t, "acme")
	d := w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
	expect := func(when, signs string, want ...string) mail.Domain {
		t.Helper()
		if got := signing(t, w, pod.Scope, d.Name); got != signs {
			t.Errorf("%s: %s sign", when, got)
		}
		got := expectRecords(t, w, d.Name, when, want...)
		if got.Status != mail.DomainVerified || !got.Verified || got.Reason != "" {
			t.Errorf("%s: %s %s", when, got.Status, got.Reason)
		}
		return got
	}
	rotated, err := s.RotateKeys(ctx, pod, "ACME.example")
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.RotateKeys(ctx, pod, d.Name)
	if err != nil || !slices.Equal(again.Records, rotated.Records) {
		t.Errorf("asked again: %v, %v", keyRecords(again), err)
	}
	missing := []string{"podmail VALID", "podmail-ed25519 VALID", "podmail-20260102 MISSING next_key", "podmail-20260102-ed25519 MISSING next_key"}
	expect("at first", before, missing...)
	checkAfter(t, w, 2*time.Minute)
	expect("nothing is published", before, missing...)
	records := expect("before", before, missing...).Records
	for i, r := range records {
		if r.Use == mail.RecordNext {
			w.DNS.Publish(records[i : i+1])
			break
		}
	}
	checkAfter(t, w, 3*time.Minute)
	expect("one of two is published", before, "podmail VALID", "podmail-ed25519 VALID", "podmail-20260102 VALID next_key", "podmail-20260102-ed25519 MISSING next_key")
	w.DNS.Publish(records)
	w.DNS.Down(true)
	checkAfter(t, w, 5*time.Minute)
	expect("DNS gives no answer", before, "podmail VALID", "podmail-ed25519 VALID", "podmail-20260102 VALID next_key", "podmail-20260102-ed25519 MISSING next_key")
	w.DNS.Down(false)
	checkAfter(t, w, 6*time.Minute)
	replaced := []string{"podmail VALID replaced_key", "podmail-ed25519 VALID replaced_key", "podmail-20260102 VALID", "podmail-20260102-ed25519 VALID"}
	d = expect("all is published", next, replaced...)
	if zone := mail.ZoneFile(d.Records); strings.Count(zone, "keep it until 2026-01-09, then remove it:\npodmail") != 2 {
		t.Errorf("the zone file:\n%s", zone)
	}
	checkAfter(t, w, 6*24*time.Hour)
	expect("while they overlap", next, replaced...)
	w.DNS.Set(mail.RecordTXT, "podmail._domainkey.acme.example")
	checkAfter(t, w, 7*time.Hour)
	expect("one is removed too early", next, "podmail MISSING replaced_key", replaced[1], replaced[2], replaced[3])
	checkAfter(t, w, 24*time.Hour)
	expect("when that is over", next, "podmail-20260102 VALID", "podmail-20260102-ed25519 VALID")
	if got := verifications(t, w); len(got) != 1 {
		t.Errorf("events: %v", got)
	}
}

// TestKeyRotationTwiceADay: selectors are never used again. It is for those who may see the domain.
func TestKeyRotationTwiceADay(t *testing.T) {
	w := servertest.New(t)
	s, ctx := w.Server, context.Background()
	pod, other := w.Pod(t, "acme"), w.Pod(t, "other")
	d := w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
	if _, err := s.RotateKeys(ctx, other, d.Name); mail.CodeOf(err) != mail.CodeNotFound {
		t.Errorf("by another pod: %v", err)
	}
	for range 2 {
		d, err := s.RotateKeys(ctx, pod, d.Name)
		if err != nil {
			t.Fatal(err)
		}
		w.DNS.Publish(d.Records)
		checkAfter(t, w, 2*time.Minute)
	}
	if got := signing(t, w, pod.Scope, d.Name); got != "podmail-20260102-2 podmail-20260102-ed25519-2" {
		t.Errorf("%s sign", got)
	}
	if d, err := s.GetDomain(ctx, pod, d.Name); err != nil || len(keyRecords(d)) != 6 || d.Status != mail.DomainVerified {
		t.Errorf("%q, %v", keyRecords(d), err)
	}
}

// TestDefaultDomainSigns with keys that are made when mail first leaves, and are the same ever after.
func TestDefaultDomainSigns(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, nil)
	signed := func(n int) string {
		t.Helper()
		w.delivered(t, "bob@other.test")
		seen := w.hosts.Seen()
		if len(seen) != n || len(seen[n-1].Keys) != 2 || seen[n-1].Keys[0].Domain != "podmail.test" {
			t.Fatalf("%d transfers, the last with the keys %+v", len(seen), seen[len(seen)-1].Keys)
		}
		return fmt.Sprint(seen[n-1].Keys[0].Signer.Public())
	}
	first := signed(1)
	if signed(2) != first {
		t.Error("other keys for the second message")
	}
	w.Server = server.New(w.Options) // in the place of the one that made them
	keys, err := w.Server.SigningKeys(context.Background(), w.alice.Scope, "podmail.test")
	if err != nil || len(keys) != 2 || fmt.Sprint(keys[0].Signer.Public()) != first {
		t.Errorf("other keys after a restart: %v, %v", keys, err)
	}
}

// TestDefaultDomainIsShownToTheOrganization with what to publish; it is served whatever is published.
func TestDefaultDomainIsShownToTheOrganization(t *testing.T) {
	w := servertest.New(t)
	s, ctx := w.Server, context.Background()
	pod := w.Pod(t, "acme")
	for _, err := range []error{
		second(s.GetDomain(ctx, pod, "podmail.test")), second(s.RotateKeys(ctx, pod, "podmail.test")), s.VerifyDomain(ctx, pod, "podmail.test"),
		s.DeleteDomain(ctx, w.Org, "podmail.test"), second(s.UpdateDomain(ctx, w.Org, "podmail.test", server.DomainUpdate{})),
	} {
		if mail.CodeOf(err) != mail.CodeNotFound {
			t.Errorf("what is nobody's to see or to change: %v", err)
		}
	}
	d := expectRecords(t, w, "podmail.test", "at first", "podmail MISSING", "podmail-ed25519 MISSING")
	if zone := mail.ZoneFile(d.Records); !strings.Contains(zone, "podmail.test. 3600 IN MX 10 mx.podmail.test.\n") || !strings.Contains(zone, `_dmarc.podmail.test. 3600 IN TXT "v=DMARC1; p=none"`) {
		t.Errorf("the zone file:\n%s", zone)
	}
	for range 20 {
		checkAfter(t, w, 24*time.Hour)
	}
	if d, err := s.GetDomain(ctx, w.Org, "podmail.test"); err != nil || d.Status != mail.DomainPending || !d.Verified {
		t.Errorf("nothing is published: %+v, %v", d, err)
	}
	w.Inbox(t, pod, "alice")
	w.Deliver(t, "alice@podmail.test", "Subject: hello\n\nhello\n")
	w.DNS.Publish(d.Records)
	checkAfter(t, w, 2*time.Hour)
	d, err := s.RotateKeys(ctx, w.Org, "podmail.test")
	if err != nil || d.Status != mail.DomainVerified {
		t.Fatalf("%+v, %v", d, err)
	}
	w.DNS.Publish(d.Records)
	checkAfter(t, w, 2*time.Minute)
	if got := signing(t, w, pod.Scope, "podmail.test"); got == "podmail podmail-ed25519" || strings.Count(got, " ") != 1 {
		t.Errorf("after a rotation %s sign", got)
	}
	if listed, _, err := s.ListDomains(ctx, w.Org, mail.Page{Limit: 10}); err != nil || len(listed) != 0 {
		t.Errorf("listed: %+v, %v", listed, err)
	}
}

func second[T any](_ T, err error) error { return err }
