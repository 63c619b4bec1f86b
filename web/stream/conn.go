package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/coder/websocket"

	"podmail/mail"
	"podmail/web/api"
)

// conn is one connection. Its goroutine writes, and a second one reads, so that pongs and goodbyes are heard at any time.
type conn struct {
	streams *Streams
	request *http.Request // that opened it
	key     string
	ws      *websocket.Conn
	frames  chan []byte   // of the client, to be answered
	heard   chan struct{} // closed when nothing more is read, for the reason left
	left    error

	sub     *mail.Subscription // nil before the first
	after   int64              // told up to here
	resume  *int64             // where the first subscription begins, if the request said so
	wake    <-chan struct{}
	unwatch func()
}

// goodbye ends a connection for a reason that its peer is told.
type goodbye struct {
	status websocket.StatusCode
	reason string
}

func (g goodbye) Error() string { return g.reason }

var (
	errLeaving = goodbye{websocket.StatusGoingAway, "the server is stopping"}
	errRevoked = goodbye{websocket.StatusPolicyViolation, "the API key is not valid any more"}
	errFlood   = goodbye{websocket.StatusPolicyViolation, "too many frames at once"}
	errBinary  = goodbye{websocket.StatusUnsupportedData, "frames are text"}
	errFailed  = goodbye{websocket.StatusInternalError, "the server failed; connect again"}
)

// run tells what happens until the peer leaves, its key is revoked, or the server stops. The end of life cuts it off.
func (c *conn) run(life context.Context) {
	life, cut := context.WithCancel(life)
	c.ws.SetReadLimit(c.streams.limits.Frame)
	go c.read(life)
	defer func() {
		cut()
		_ = c.ws.CloseNow() // it is closed, unless we panic
		<-c.heard
		if c.unwatch != nil {
			c.unwatch()
		}
	}()
	err := c.converse(life)
	c.streams.log.Debug("a WebSocket ends", "trace", mail.TraceID(life), "reason", err)
	if bye, ok := errors.AsType[goodbye](err); ok {
		_ = c.ws.Close(bye.status, bye.reason) // a peer that is gone does not hear it
	}
}

// read hands over the client's frames. One that sends more of them than it waits for answers is let go, so that this
// never waits.
func (c *conn) read(life context.Context) {
	defer close(c.heard)
	for {
		typ, frame, err := c.ws.Read(life)
		switch {
		case err != nil:
			c.left = err
			return
		case typ != websocket.MessageText:
			c.left = errBinary
			return
		}
		select {
		case c.frames <- frame:
		default:
			c.left = errFlood
			return
		}
	}
}

// converse answers frames and tells events, and returns why it ends.
func (c *conn) converse(life context.Context) (err error) {
	look := time.NewTicker(c.streams.limits.Look)
	defer look.Stop()
	now := make(chan struct{})
	close(now)
	more := false // to be told at once
	for err == nil {
		var again <-chan struct{}
		if more {
			again = now
		}
		select {
		case <-c.streams.leave:
			return errLeaving
		case <-c.heard:
			return c.left
		case frame := <-c.frames:
			err = c.answer(life, frame)
			more = c.sub != nil
		case <-look.C:
			err = c.checkPeer(life)
			more = c.sub != nil
		case <-c.wake:
			more = true
		case <-again:
			more, err = c.tell(life, math.MaxInt64)
		}
	}
	return err
}

// checkPeer finds out whether the peer is still there, and whether its key still holds.
func (c *conn) checkPeer(life context.Context) error {
	if _, err := c.authenticate(life); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(life, c.streams.limits.Stall)
	defer cancel()
	return c.ws.Ping(ctx)
}

// authenticate finds out what the key grants by now.
func (c *conn) authenticate(life context.Context) (mail.Grant, error) {
	g, err := c.streams.server.Authenticate(life, c.key)
	if mail.CodeOf(err) == mail.CodeUnauthenticated {
		return g, errRevoked
	}
	return g, c.failed(life, "the key could not be checked", err)
}

// failed gives up on a failure of ours. Nothing is lost: the client connects again and goes on where it was.
func (c *conn) failed(life context.Context, what string, err error) error {
	if err == nil || life.Err() != nil {
		return err
	}
	c.streams.log.Error("a WebSocket is given up: "+what, "trace", mail.TraceID(life), "error", err)
	return errFailed
}

// answer answers a frame of the client.
func (c *conn) answer(life context.Context, frame []byte) error {
	g, err := c.authenticate(life)
	if err != nil {
		return err
	}
	f, err := parseFrame(frame)
	var sub mail.Subscription
	var from *int64
	if err == nil {
		sub, err = c.streams.server.Subscribe(life, g, f.wanted())
	}
	if err == nil {
		from, err = c.streams.position(life, f.LastEventID)
	}
	if err != nil {
		name, code, message, fix := c.streams.api.Explain(c.request, err)
		return c.send(life, failure{"error", name, code, message, fix})
	}
	if err := c.replace(life, sub, from); err != nil {
		return err
	}
	return c.send(life, subscribed{"subscribed", sub.Types, sub.InboxIDs, sub.PodIDs, c.streams.server.EventID(c.after)})
}

// replace puts a subscription in the place of the one before. It begins where the client says it was, else with what
// happens from now on; up to there the one before is told to its end.
func (c *conn) replace(life context.Context, sub mail.Subscription, from *int64) error {
	wake, unwatch := c.streams.server.WatchEvents(sub)
	if c.unwatch != nil {
		c.unwatch()
	}
	c.wake, c.unwatch = wake, unwatch
	if from == nil && c.sub == nil {
		from = c.resume
	}
	if from == nil {
		last, err := c.streams.server.LastEvent(life)
		if err != nil {
			return c.failed(life, "the last event was not found", err)
		}
		for more := c.sub != nil; more; {
			if more, err = c.tell(life, last); err != nil {
				return err
			}
		}
		from = &last
	}
	c.sub, c.after = &sub, *from
	return nil
}

// tell tells what happened after the last event that was told, a batch at most and up to a sequence number, and whether
// there is more.
func (c *conn) tell(life context.Context, until int64) (more bool, err error) {
	g, err := c.authenticate(life)
	if err != nil {
		return false, err
	}
	events, last, more, err := c.streams.server.ListEvents(life, *c.sub, c.after)
	if err != nil {
		return false, c.failed(life, "events could not be read", err)
	}
	for _, e := range events {
		if e.Seq > until {
			return false, nil
		}
		if err := c.tellOne(life, g, e); err != nil {
			return false, err
		}
		c.after = e.Seq
	}
	c.after = last
	return more && last < until, nil
}

func (c *conn) tellOne(life context.Context, g mail.Grant, e mail.Event) error {
	select {
	case <-c.streams.leave:
		return errLeaving
	default:
	}
	told, ok, err := c.streams.server.Tell(life, g, e)
	if err != nil {
		return c.failed(life, "an event could not be read", err)
	}
	if !ok {
		return nil
	}
	b, err := api.EventPayload(&told)
	if err != nil {
		return c.failed(life, "an event could not be written down", err)
	}
	return c.write(life, b)
}

func (c *conn) send(life context.Context, frame any) error {
	b, err := encode(frame)
	if err != nil {
		return c.failed(life, "a frame could not be written down", err)
	}
	return c.write(life, b)
}

// piece is what of a long message is written at a time; pings are answered in between.
const piece = 32 << 10

// write sends a message.
func (c *conn) write(life context.Context, b []byte) error {
	ctx, cancel := context.WithTimeout(life, c.streams.limits.Stall+time.Second*time.Duration(len(b)/c.streams.limits.Line))
	defer cancel()
	w, err := c.ws.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for p := range slices.Chunk(b, piece) {
		if _, err := w.Write(p); err != nil {
			return fmt.Errorf("write an event: %w", err)
		}
	}
	return w.Close()
}
