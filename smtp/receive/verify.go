package receive

import (
	"context"
	"io"

	"podmail/server"
	"podmail/smtp/verify"
)

// verified has who sent a message looked up while its body comes in. The function that it returns ends that.
func (x *session) verified(ctx context.Context, in *server.Incoming) (end func()) {
	if x.s.o.Verifier == nil {
		return func() {}
	}
	c := x.s.o.Verifier.Begin(ctx, verify.Peer{Remote: in.Session.Remote.Addr(), HELO: in.Session.HELO, ReversePath: in.ReversePath})
	if c == nil {
		return func() {}
	}
	in.Body = io.TeeReader(in.Body, c)
	in.Authenticate = c.Finish
	return c.Close
}
