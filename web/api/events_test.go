package api_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"podmail/mail"
	"podmail/server"
	"podmail/web"
	"podmail/web/api"
)

// schema compiles one of the document's schemas.
func schema(t *testing.T, d *door, name string) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(d.call(t, "", "GET", "/openapi.json", "").body))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("openapi.json#/components/schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func payload(t *testing.T, e server.Event) string {
	t.Helper()
	b, err := api.EventPayload(&e)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestEventPayloads: every type of event is told as the document describes it.
func TestEventPayloads(t *testing.T) {
	d := openDoor(t, web.Limits{})
	m := mail.Message{InboxID: "alice@podmail.test", ThreadID: "t", MessageID: "<m@podmail.test>"}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	details := func(text string) (m map[string]any) {
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct {
		typ             mail.EventType
		details, schema string
		has             string
	}{
		{mail.EventReceived, `{}`, "MessageReceivedEvent", `"text":"<b> & co"`},
		{mail.EventReceivedSpam, `{}`, "MessageReceivedEvent", `"thread":{"inbox_id":"alice@podmail.test"`},
		{mail.EventSent, `{"recipients":["a@example.org"]}`, "MessageSentEvent", `"send":{"inbox_id":"alice@podmail.test","thread_id":"t","message_id":"<m@podmail.test>","timestamp":"2026-01-02T03:04:05.006Z","recipients":["a@example.org"]}`},
		{mail.EventDelivered, `{"recipients":["a@example.org"]}`, "MessageDeliveredEvent", `"recipients":["a@example.org"]`},
		{mail.EventBounced, `{"type":"Permanent","sub_type":"NoEmail","reply":"550 no","recipients":[{"address":"a@example.org","status":"bounced"}]}`, "MessageBouncedEvent",
			`"type":"Permanent","sub_type":"NoEmail","recipients":[{"address":"a@example.org","status":"bounced"}]`},
		{mail.EventComplained, `{"type":"abuse","sub_type":"","recipients":["a@example.org"]}`, "MessageComplainedEvent", `"type":"abuse","sub_type":"","recipients":["a@example.org"]`},
		{mail.EventRejected, `{"reason":"no"}`, "MessageRejectedEvent", `"reason":"no"`},
		{mail.EventOpened, ``, "MessageOpenedEvent", `"open":{`},
		{mail.EventDomainVerified, `{"domain_id":"acme.example"}`, "DomainVerifiedEvent", `"domain_id":"acme.example"`},
		{mail.EventSent, ``, "MessageSentEvent", `"recipients":[]`},
		{mail.EventBounced, ``, "MessageBouncedEvent", `"recipients":[]`},
	} {
		e := server.Event{Event: mail.Event{Seq: 1, EventID: d.Server.EventID(1), Type: c.typ, CreatedAt: at}, Message: m}
		if c.details != "" {
			e.Details = details(c.details)
		}
		switch {
		case c.typ.Received():
			e.Content = mail.Content{Text: "<b> & co", HasText: true}
			e.Thread = mail.Thread{InboxID: m.InboxID}
		case c.typ == mail.EventDomainVerified:
			e.Domain = mail.Domain{Name: "acme.example", Status: mail.DomainVerified, Records: []mail.DomainRecord{{Type: mail.RecordMX, Status: mail.RecordValid}}}
		}
		got := payload(t, e)
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(got))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema(t, d, c.schema).Validate(v); err != nil {
			t.Errorf("%s: %v", c.typ, err)
		}
		for _, has := range []string{`{"type":"event","event_type":"` + string(c.typ) + `","event_id":"` + e.EventID + `",`, c.has} {
			if !strings.Contains(got, has) {
				t.Errorf("%s: no %s in %s", c.typ, has, got)
			}
		}
	}
}

// TestLargeEventsLeaveBodiesOut: over 1 MB text and HTML are left out, and only then.
func TestLargeEventsLeaveBodiesOut(t *testing.T) {
	ctx := context.Background()
	d := openDoor(t, web.Limits{})
	alice := d.Inbox(t, d.Pod(t, "acme"), "alice")
	sub, err := d.Server.Subscribe(ctx, alice, server.Wanted{})
	if err != nil {
		t.Fatal(err)
	}
	after := int64(0)
	line := strings.Repeat("x", 70) + "\n"
	for _, c := range []struct {
		lines int
		text  bool
	}{{6_500, true}, {14_000, false}, {60_000, false}, {1, true}} {
		body := strings.Repeat(line, c.lines)
		d.Deliver(t, alice.InboxID, "From: eve@elsewhere.test\nTo: alice@podmail.test\nSubject: s\nX-Size: there\n\n"+body)
		events, last, _, err := d.Server.ListEvents(ctx, sub, after)
		if err != nil || len(events) != 1 {
			t.Fatal(len(events), err)
		}
		after = last
		e, ok, err := d.Server.Tell(ctx, alice, events[0])
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		got := payload(t, e)
		if strings.Contains(got, `"text":`) != c.text || !strings.Contains(got, `"X-Size":"there"`) || !strings.Contains(got, `"preview":`) || len(got) > 1_000_000 {
			t.Errorf("%d lines: %d bytes, %.300s", c.lines, len(got), got)
		}
	}
}
