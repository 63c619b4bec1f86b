package server

import (
	"context"

	"podmail/mail"
)

// What belongs to AgentMail's hosted sign-in service is not here: there are no providers to sign in at and no accounts
// there. Who asks is told so, and what to use instead.

// NoProvider is the answer to whoever names a provider.
func (s *Server) NoProvider() error {
	return mail.NotFound("Provider").WithFix("Providers belong to AgentMail's hosted sign-in service; this installation has none.")
}

// NoAccount is the answer to whoever names an account.
func (s *Server) NoAccount() error {
	return mail.NotFound("Account").WithFix("Accounts belong to AgentMail's hosted sign-in service; this installation has none.")
}

// ConnectProvider would sign an inbox in at a provider.
func (s *Server) ConnectProvider(g mail.Grant) error {
	if err := g.Require(mail.ProviderConnect); err != nil {
		return err
	}
	return s.NoProvider()
}

// AuthorizeInbox would let an inbox sign in at the provider that sent its user here.
func (s *Server) AuthorizeInbox(ctx context.Context, g mail.Grant, inboxID string) error {
	if err := g.Require(mail.ProviderConnect); err != nil {
		return err
	}
	if _, err := s.findInbox(ctx, g, inboxID); err != nil {
		return err
	}
	return mail.Errorf(mail.CodeInvalid, "Signing in with an inbox is not available on this installation.").WithReason(mail.ReasonUnprocessable).
		WithFix("It belongs to AgentMail's hosted sign-in service. To let a program use the inbox, create an API key for it.")
}
