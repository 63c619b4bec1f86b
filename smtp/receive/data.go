package receive

import (
	"io"
	"strconv"

	"podmail/mail"
	"podmail/server"
	"podmail/smtp/wire"
)

// Data implements gosmtp.Session: it returns when the message is stored and synced, or refused. A message in chunks comes
// out of a pipe.
func (x *session) Data(r io.Reader) error {
	t := x.mail
	reply := wire.NewReply(451, "4.3.0", "Internal error, try again later") // if it panics
	pipe, chunked := r.(*io.PipeReader)
	t.progress.begin(pipe)
	b := &body{r: r, maxHeader: x.s.o.MaxHeaderSize, maxSize: x.s.o.Server.MaxMessageSize()}
	defer func() { t.progress.end(reply, b.size) }()
	reply = x.receive(t, b, chunked)
	return asError(reply)
}

// receive reads a message and answers for it. Of a message after DATA that was refused the rest is read all the same, so
// that the next command is found behind it; go-smtp would do so without a bound.
func (x *session) receive(t *transaction, b *body, chunked bool) *wire.Reply {
	id, err := x.deliver(t.in, followed{b, t.progress})
	if err != nil && !chunked {
		b.drain()
	}
	x.noteBytes(b.size)
	switch {
	case b.broken == errEndless: // the peer is there, and sends far more than it may
		x.countMessage("cut_off")
		return x.g.hangUp(552, "5.3.4", "The message is too large: at most "+strconv.FormatInt(b.maxSize, 10)+" bytes")
	case b.broken != nil: // or given up between chunks; the guard knows
		x.countMessage("cut_off")
		return wire.NewReply(421, "4.4.2", "The message was cut off")
	case err != nil:
		reply := x.reply(err)
		x.countMessage(replyClass(reply.Code))
		return reply
	}
	x.countMessage("accepted")
	x.g.unheard, x.g.since = id, x.g.reads
	return wire.NewReply(250, "2.0.0", "OK: queued as "+id)
}

// noteBytes counts bytes of messages that came.
func (x *session) noteBytes(n int64) {
	x.s.rates.note(x.accounts(), usage{bytes: n})
	x.s.metrics.bytes.WithLabelValues(x.g.role.String()).Add(float64(n))
}

// deliver hands a message over.
func (x *session) deliver(in server.Incoming, body io.Reader) (id string, err error) {
	in.Body = body
	id = newTrace()
	ctx := mail.WithTrace(x.g.ctx, id)
	if x.g.role == MX {
		defer x.examined(ctx, &in)()
		err = x.s.o.Server.Deliver(ctx, in)
	} else {
		_, err = x.s.o.Server.Submit(ctx, *x.grant, in)
	}
	return id, err
}
