package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// maxPayload is the size over which an event is told without its message's bodies (contract: semantics.md, Events).
const maxPayload = 1_000_000

// event is the contract's MessageReceivedEvent and its like.
type event struct {
	Type      string         `json:"type"`
	EventType mail.EventType `json:"event_type"`
	EventID   string         `json:"event_id"`
	Message   *message       `json:"message,omitempty"`
	Thread    *threadItem    `json:"thread,omitempty"`
	Send      *delivery      `json:"send,omitempty"`
	Delivery  *delivery      `json:"delivery,omitempty"`
	Bounce    *bounce        `json:"bounce,omitempty"`
	Complaint *complaint     `json:"complaint,omitempty"`
	Reject    *reject        `json:"reject,omitempty"`
	Open      *outcome       `json:"open,omitempty"`
	Domain    *domain        `json:"domain,omitempty"`
}

// outcome is what every event about a message we sent has.
type outcome struct {
	InboxID   string    `json:"inbox_id"`
	ThreadID  string    `json:"thread_id"`
	MessageID string    `json:"message_id"`
	Timestamp timestamp `json:"timestamp"`
}

// delivery is the contract's Send and Delivery.
type delivery struct {
	outcome
	Recipients []string `json:"recipients"`
}

type bounce struct {
	outcome
	BounceType string      `json:"type"`
	SubType    string      `json:"sub_type"`
	Recipients []recipient `json:"recipients"`
}

type recipient struct {
	Address string `json:"address"`
	Status  string `json:"status"`
}

type complaint struct {
	outcome
	ComplaintType string   `json:"type"`
	SubType       string   `json:"sub_type"`
	Recipients    []string `json:"recipients"`
}

type reject struct {
	outcome
	Reason string `json:"reason"`
}

// EventPayload is an event as webhooks and WebSockets tell it.
func EventPayload(e *server.Event) ([]byte, error) {
	out, err := eventOf(e)
	if err != nil {
		return nil, err
	}
	b, err := marshal(out)
	if err != nil || len(b) <= maxPayload || out.Message == nil {
		return b, err
	}
	out.Message.Text, out.Message.HTML = nil, nil
	if b, err = marshal(out); err != nil || len(b) <= maxPayload {
		return b, err
	}
	out.Message.ExtractedText, out.Message.ExtractedHTML = "", ""
	return marshal(out)
}

func eventOf(e *server.Event) (out event, err error) {
	out = event{Type: "event", EventType: e.Type, EventID: e.EventID}
	what := outcome{e.Message.InboxID, e.Message.ThreadID, e.Message.MessageID, timestamp(e.CreatedAt)}
	switch e.Type {
	case mail.EventSent:
		out.Send = &delivery{outcome: what, Recipients: []string{}}
		err = recall(e, out.Send)
	case mail.EventDelivered:
		out.Delivery = &delivery{outcome: what, Recipients: []string{}}
		err = recall(e, out.Delivery)
	case mail.EventBounced:
		out.Bounce = &bounce{outcome: what, Recipients: []recipient{}}
		err = recall(e, out.Bounce)
	case mail.EventComplained:
		out.Complaint = &complaint{outcome: what, Recipients: []string{}}
		err = recall(e, out.Complaint)
	case mail.EventRejected:
		out.Reject = &reject{outcome: what}
		err = recall(e, out.Reject)
	case mail.EventOpened:
		out.Open = &what
	case mail.EventDomainVerified:
		d := domainOf(&e.Domain)
		out.Domain = &d
	default:
		m, t := messageOf(&e.Message, &e.Content), threadItemOf(&e.Thread)
		out.Message, out.Thread = &m, &t
	}
	return out, err
}

// recall reads an event's details, which are stored by their names on the wire, into dest.
func recall(e *server.Event, dest any) error {
	b, err := json.Marshal(e.Details)
	if err == nil {
		err = json.Unmarshal(b, dest)
	}
	if err != nil {
		return fmt.Errorf("details of event %d: %w", e.Seq, err)
	}
	return nil
}

// marshal is how answer writes JSON, into memory.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// inboxEvent is the contract's InboxEvent.
type inboxEvent struct {
	OrganizationID string         `json:"organization_id"`
	PodID          string         `json:"pod_id"`
	InboxID        string         `json:"inbox_id"`
	EventID        string         `json:"event_id"`
	EventType      mail.EventType `json:"event_type"`
	MessageID      string         `json:"message_id"`
	Label          string         `json:"label"`
	EventAt        timestamp      `json:"event_at"`
	CreatedAt      timestamp      `json:"created_at"`
}

func (a *API) listInboxEvents(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	p := q.page(maxPlainLimit)
	if err := q.err(); err != nil {
		return err
	}
	events, next, err := a.server.ListInboxEvents(c.Request().Context(), g, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Events []inboxEvent `json:"events"`
	}{page{len(events), p.Limit, next}, each(events, func(e *mail.Event) inboxEvent {
		at := timestamp(e.CreatedAt) // an event is recorded as it happens
		return inboxEvent{a.server.OrganizationID(), g.PodID, g.InboxID, e.EventID, e.Type, e.MessageID, e.Label, at, at}
	})})
}
