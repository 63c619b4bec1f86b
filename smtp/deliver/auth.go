package deliver

import (
	"encoding/base64"
	"io"
	"slices"
	"strings"

	"podmail/mail"
	"podmail/mail/scram"
)

// login is one exchange of AUTH (RFC 4954 4).
type login struct {
	command string
	steps   []func(challenge string) (response string, err error) // all of which must be taken
}

// authenticate logs in at a relay (RFC 4954). That it does not let us in is no fault of the message: a failure is
// temporary whatever the relay says.
func (s *session) authenticate(r *mail.Relay, random io.Reader) error {
	l, err := s.login(r, random)
	if err != nil {
		return err
	}
	answer, err := s.ask(s.times.Command, l.command)
	for ; err == nil && answer.code == 334 && len(l.steps) > 0; l.steps = l.steps[1:] {
		response, wrong := l.steps[0](decoded(answer))
		if wrong != nil {
			s.broken = true
			return failed(mail.TransferReply, "4.7.0", "AUTH at the relay %s: %v", s.host, wrong)
		}
		answer, err = s.ask(s.times.Command, encoded(response))
	}
	switch {
	case err != nil:
		return lost(err, "in AUTH")
	case answer.code == 235 && len(l.steps) == 0:
		return nil
	case answer.code == 235: // it lets us in without having shown who it is
		s.broken = true
		return failed(mail.TransferReply, "4.7.0", "AUTH at the relay %s: it says yes too early", s.host)
	case answer.code == 334:
		s.ask(s.times.Command, "*") // RFC 4954 4: it asks for more than we have
	}
	f := refused(answer, "AUTH")
	f.permanent = false
	return f
}

// login is how the relay is shown that we know the password: so that it does not learn it, if it can do with that.
func (s *session) login(r *mail.Relay, random io.Reader) (l login, err error) {
	offered := strings.Fields(strings.ToUpper(s.extensions["AUTH"]))
	say := func(text string) func(string) (string, error) {
		return func(string) (string, error) { return text, nil }
	}
	switch {
	case slices.Contains(offered, "SCRAM-SHA-256") && isASCII(r.Username+r.Password): // RFC 7677
		var nonce [18]byte
		if _, err := io.ReadFull(random, nonce[:]); err != nil {
			return l, err
		}
		c := scram.NewClient(r.Username, r.Password, base64.StdEncoding.EncodeToString(nonce[:]))
		return login{"AUTH SCRAM-SHA-256 " + encoded(c.First()), []func(string) (string, error){c.Final, func(final string) (string, error) { return "", c.Verify(final) }}}, nil
	case slices.Contains(offered, "PLAIN"): // RFC 4616
		return login{command: "AUTH PLAIN " + encoded("\x00"+r.Username+"\x00"+r.Password)}, nil
	case slices.Contains(offered, "LOGIN"): // draft-murchison-sasl-login: whatever it asks, it wants these in this order
		return login{"AUTH LOGIN", []func(string) (string, error){say(r.Username), say(r.Password)}}, nil
	}
	return l, failed(mail.TransferReply, "4.7.0", "the relay %s takes no user and password: it offers AUTH %q", s.host, s.extensions["AUTH"])
}

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// decoded is what a challenge says; empty if it is no base64, as with mechanisms whose challenges say nothing.
func decoded(challenge reply) string {
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(challenge.text[min(len(challenge.text), 4):]))
	if err != nil {
		return ""
	}
	return string(text)
}
