package receive

import (
	"crypto/rand"
	"errors"

	"github.com/emersion/go-sasl"

	"podmail/mail"
	"podmail/mail/scram"
	"podmail/smtp/wire"
)

// loginServer is what old clients speak (draft-murchison-sasl-login); go-sasl has it for clients only.
type loginServer struct {
	l     *exchange
	asked int
}

// Next implements sasl.Server. A response that came with the command is the user.
func (s *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if s.asked == 0 && response != nil {
		s.asked++
	}
	s.asked++
	switch s.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		s.l.user = string(response)
		return []byte("Password:"), false, nil
	case 3:
		err = s.l.password(string(response))
		return nil, err == nil, err
	}
	return nil, false, sasl.ErrUnexpectedClientResponse
}

// scramServer is RFC 5802 with SHA-256 (RFC 7677), its channel bound to TLS if plus.
type scramServer struct {
	l            *exchange
	plus         bool
	conversation *scram.Conversation
	proved       bool
}

// Next implements sasl.Server.
func (s *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case s.proved: // the client is satisfied
		return nil, true, nil
	case s.conversation != nil:
		success, err := s.final(string(response))
		return []byte(success), false, err
	case response == nil:
		return nil, false, nil // it comes with the next line
	}
	s.conversation = &scram.Conversation{}
	server := s.l.x.s.o.Server
	first, err := s.conversation.First(string(response), s.plus, s.l.x.bindings(), server.SCRAMSalt(), rand.Text())
	s.l.user = s.conversation.User
	return []byte(first), false, scramError(err)
}

// final checks the proof, and proves to the client that the key is known here too.
func (s *scramServer) final(message string) (success string, err error) {
	if err := s.conversation.Final(message); err != nil {
		return "", scramError(err)
	}
	if err := s.l.alone(s.conversation.As); err != nil {
		return "", err
	}
	x := s.l.x
	grant, _, verifier, err := x.s.o.Server.LoginByProof(x.g.ctx, s.l.user, s.conversation.Proves, mail.MessageSend)
	if err != nil {
		return "", err
	}
	s.l.grant, s.proved = grant, true
	return s.conversation.Success(verifier), nil
}

// scramError tells what is badly said from what is not true.
func scramError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, scram.ErrBinding):
		return mail.Errorf(mail.CodeUnauthenticated, "The channel is not bound as it must be.")
	}
	return wire.NewReply(501, "5.5.2", "That is no SCRAM message")
}
