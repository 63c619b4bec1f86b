package stream

import (
	"encoding/json"
	"errors"
	"fmt"

	"podmail/mail"
	"podmail/server"
)

// subscribe is the frame that a client sends (contract: types.md, Subscribe). LastEventID is ours: the last event that
// the client has seen.
type subscribe struct {
	Type        string   `json:"type"`
	EventTypes  []string `json:"event_types"`
	InboxIDs    []string `json:"inbox_ids"`
	PodIDs      []string `json:"pod_ids"`
	LastEventID string   `json:"last_event_id"`
}

func parseFrame(b []byte) (f subscribe, err error) {
	if err := json.Unmarshal(b, &f); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return f, mail.Invalid(wrong.Field, "a %s is not what goes here", wrong.Value)
		}
		return f, mail.Errorf(mail.CodeInvalid, "The frame is not a JSON object.").WithFix(`Send {"type":"subscribe"}.`)
	}
	if f.Type != "subscribe" {
		return f, mail.Invalid("type", "must be subscribe")
	}
	return f, nil
}

func (f *subscribe) wanted() server.Wanted {
	return server.Wanted{EventTypes: f.EventTypes, PodIDs: f.PodIDs, InboxIDs: f.InboxIDs}
}

// subscribed answers with what took effect (contract: types.md, Subscribed), and from where.
type subscribed struct {
	Type        string           `json:"type"`
	EventTypes  []mail.EventType `json:"event_types"`
	InboxIDs    []string         `json:"inbox_ids,omitempty"`
	PodIDs      []string         `json:"pod_ids,omitempty"`
	LastEventID string           `json:"last_event_id"`
}

// failure tells what is wrong with a frame (contract: types.md, Error_).
type failure struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

func encode(frame any) ([]byte, error) {
	b, err := json.Marshal(frame)
	if err != nil {
		return nil, fmt.Errorf("encode a frame: %w", err)
	}
	return b, nil
}
