package receive

import (
	"context"
	"io"

	"podmail/server"
	"podmail/smtp/verify"
)

// verified has who sent a message looked up while its body comes in. The function that it returns ends that.
func (x *session) verified(ctx context.Context, in *server.Incoming) (end func()) {
	scanned := x.scanned(ctx, in)
	if x.s.o.Verifier == nil {
		return scanned
	}
	c := x.s.o.Verifier.Begin(ctx, verify.Peer{Remote: in.Session.Remote.Addr(), HELO: in.Session.HELO, ReversePath: in.ReversePath})
	if c == nil {
		return scanned
	}
	in.Body = io.TeeReader(in.Body, c)
	in.Authenticate = c.Finish
	return func() {
		c.Close()
		scanned()
	}
}

// scanned has a message looked through for viruses while its body comes in. The function that it returns ends that.
func (x *session) scanned(ctx context.Context, in *server.Incoming) (end func()) {
	if x.s.o.Scanner == nil {
		return func() {}
	}
	s := x.s.o.Scanner.Begin(ctx)
	in.Body = io.TeeReader(in.Body, s)
	in.Scan = s.Finish
	return s.Close
}
