package deliver

import (
	"encoding/base64"
	"slices"
	"strings"

	"podmail/mail"
)

// authenticate logs in at a relay (RFC 4954). That it does not let us in is no fault of the message: a failure is
// temporary whatever the relay says.
func (s *session) authenticate(r *mail.Relay) error {
	offered := strings.Fields(strings.ToUpper(s.extensions["AUTH"]))
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	var lines []string
	switch {
	case slices.Contains(offered, "PLAIN"): // RFC 4616
		lines = []string{"AUTH PLAIN " + encode("\x00"+r.Username+"\x00"+r.Password)}
	case slices.Contains(offered, "LOGIN"): // draft-murchison-sasl-login: whatever it asks, it wants these in this order
		lines = []string{"AUTH LOGIN", encode(r.Username), encode(r.Password)}
	default:
		return failed(mail.TransferReply, "4.7.0", "the relay %s takes no user and password: it offers AUTH %q", s.host, s.extensions["AUTH"])
	}
	var answer reply
	for _, line := range lines {
		var err error
		if answer, err = s.ask(s.times.Command, line); err != nil {
			return lost(err, "in AUTH")
		}
		if answer.code != 334 {
			break
		}
	}
	if answer.code == 235 {
		return nil
	}
	if answer.code == 334 {
		s.ask(s.times.Command, "*") // RFC 4954 4: it asks for more than we have
	}
	f := refused(answer, "AUTH")
	f.permanent = false
	return f
}
