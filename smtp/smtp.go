// Package smtp assembles Podmail's SMTP side: smtp/receive, the listeners, and smtp/deliver, the courier to other hosts.
// Verifying and signing what passes have their own rooms beside them. It decides nothing: verbs are server's.
package smtp

import (
	"context"
	"net"

	"podmail/smtp/deliver"
	"podmail/smtp/receive"
)

// CourierOptions are those of the courier.
type CourierOptions = deliver.Options

// Courier carries mail to other hosts.
type Courier struct{ *deliver.Courier }

// NewCourier returns a Courier. Close it.
func NewCourier(o CourierOptions) *Courier { return &Courier{deliver.New(o)} }

// Options are those of the listeners.
type Options = receive.Options

// Server receives mail from other servers and from mail clients.
type Server struct{ *receive.Server }

// New returns a Server that listens nowhere yet.
func New(o Options) *Server { return &Server{receive.New(o)} }

// ServeMX takes mail from other servers on l until Shutdown.
func (s *Server) ServeMX(l net.Listener) error { return s.Serve(l, receive.MX) }

// ServeSubmission takes mail from mail clients on l until Shutdown.
func (s *Server) ServeSubmission(l net.Listener) error { return s.Serve(l, receive.Submission) }

// ServeSubmissionTLS is ServeSubmission with TLS from the first byte.
func (s *Server) ServeSubmissionTLS(l net.Listener) error { return s.Serve(l, receive.SubmissionTLS) }

// Shutdown tells open sessions that the service closes, lets bodies on their way finish within ctx, and waits until
// every connection is gone.
func (s *Server) Shutdown(ctx context.Context) error { return s.Server.Shutdown(ctx) }
