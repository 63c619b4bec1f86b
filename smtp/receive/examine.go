package receive

import (
	"context"
	"io"

	"podmail/server"
	"podmail/smtp/scan"
	"podmail/smtp/verify"
)

// examined has a message looked at while its body comes in: who sent it, and what it holds. The function that it returns
// ends that.
func (x *session) examined(ctx context.Context, in *server.Incoming) (end func()) {
	ends := []func(){x.scanned(ctx, in), x.filtered(ctx, in), x.verified(ctx, in)}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

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

func (x *session) scanned(ctx context.Context, in *server.Incoming) (end func()) {
	if x.s.o.Scanner == nil {
		return func() {}
	}
	s := x.s.o.Scanner.Begin(ctx)
	in.Body = io.TeeReader(in.Body, s)
	in.Scan = s.Finish
	return s.Close
}

func (x *session) filtered(ctx context.Context, in *server.Incoming) (end func()) {
	if x.s.o.Filter == nil {
		return func() {}
	}
	o := x.s.o.Filter.Begin(ctx, scan.Sender{Remote: in.Session.Remote.Addr(), HELO: in.Session.HELO, ReversePath: in.ReversePath, Recipients: in.Recipients})
	in.Body = io.TeeReader(in.Body, o)
	in.Filter = o.Finish
	return o.Close
}
