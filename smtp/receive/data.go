package receive

import (
	"io"
	"strconv"

	"podmail/smtp/wire"
)

// data is DATA: the message follows, up to a line with a dot.
func (x *session) data(argument string) *wire.Reply {
	switch {
	case argument != "":
		return wire.NewReply(501, "5.5.4", "DATA stands alone")
	case x.mail == nil || len(x.mail.in.Recipients) == 0:
		return wire.NewReply(503, "5.5.1", "No recipient was accepted")
	}
	x.send(&wire.Reply{Code: 354, Lines: []string{"Go ahead, and end with a line that is a dot"}})
	r := wire.NewData(x.r)
	return x.receive(r, r)
}

// receive reads a message to its end and answers for it. Of a message that was refused the rest is read all the same, so
// that the next command is found behind it.
func (x *session) receive(r, rest io.Reader) *wire.Reply {
	x.c.beginBody()
	defer x.c.endBody()
	b := &body{r: r, rest: rest, maxHeader: x.s.o.MaxHeaderSize, maxSize: x.s.o.Server.MaxMessageSize()}
	id, err := x.deliver(b)
	accounts := x.accounts()
	x.mail, x.idle = nil, 0
	if err != nil {
		b.drain()
	}
	x.s.rates.note(accounts, usage{bytes: b.size})
	x.s.metrics.bytes.WithLabelValues(x.role.String()).Add(float64(b.size))
	switch {
	case b.broken != nil: // the peer is gone, or what comes now is not its next command
		x.over = true
		x.countMessage("cut_off")
		if reply := x.brokenReply(b.broken); reply != nil {
			return reply
		}
		return wire.NewReply(421, "4.4.2", "The message was cut off")
	case err != nil:
		reply := x.reply(err)
		x.countMessage(replyClass(reply.Code))
		return reply
	}
	x.countMessage("accepted")
	x.unheard, x.since = id, x.reads
	return wire.NewReply(250, "2.0.0", "OK: queued as "+id)
}

// brokenReply is for bodies that end the session though the peer is there: it sends far more than it may.
func (x *session) brokenReply(err error) *wire.Reply {
	if err != errEndless {
		return nil
	}
	return x.hangUp(552, "5.3.4", "The message is too large: at most "+strconv.FormatInt(x.s.o.Server.MaxMessageSize(), 10)+" bytes")
}
