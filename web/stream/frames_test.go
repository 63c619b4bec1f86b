package stream

import (
	"testing"

	"podmail/mail"
)

func FuzzFrame(f *testing.F) {
	for _, seed := range []string{`{"type":"subscribe"}`, `{"type":"subscribe","event_types":["message.sent"],"inbox_ids":null,"last_event_id":"x"}`,
		`{"type":"subscribe","inbox_ids":[1]}`, `[]`, `null`, `"`, `{"type":{}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := parseFrame(b)
		if err != nil && mail.CodeOf(err) != mail.CodeInvalid || err == nil && frame.Type != "subscribe" {
			t.Errorf("%q: %+v, %v", b, frame, err)
		}
	})
}
