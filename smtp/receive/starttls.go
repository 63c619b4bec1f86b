package receive

import (
	"context"
	"crypto/tls"
	"time"

	"podmail/smtp/wire"
)

// handshakeTime is how long a TLS handshake may take.
const handshakeTime = time.Minute

// startTLS goes on under TLS (RFC 3207). go-smtp does not see it: it begins a new session, so that whatever was said
// before is forgotten. What was sent in plain text behind the command ends the session: taken for what came under TLS it
// would be an attacker's (CVE-2011-0411).
func (g *guard) startTLS(argument string) *wire.Reply {
	_, secret := g.tlsState()
	switch {
	case g.s.o.TLSConfig == nil:
		return wire.NewReply(502, "5.5.1", "There is no TLS here")
	case secret:
		return wire.NewReply(503, "5.5.1", "TLS is there already")
	case argument != "":
		return wire.NewReply(501, "5.5.4", "STARTTLS stands alone")
	case g.r.Buffered() > 0:
		g.log.Warn("hung up: plain text behind STARTTLS")
		return g.hangUp(421, "4.7.0", "Nothing may follow STARTTLS before TLS does")
	}
	g.answer(wire.NewReply(220, "2.0.0", "Go ahead"))
	g.w.Flush() // the handshake sees what became of it
	g.endBody()
	if g.over = !g.handshake(); g.over {
		return nil
	}
	g.session, g.extended, g.verb = nil, false, ""
	g.upgraded, g.silent = true, true // the peer was greeted
	return nil
}

// handshake puts TLS over the connection.
func (g *guard) handshake() bool {
	g.c.expect(handshakeTime)
	t := tls.Server(g.c, g.s.o.TLSConfig)
	ctx, cancel := context.WithTimeout(g.ctx, handshakeTime)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		g.log.Info("TLS handshake failed", "error", err)
		g.s.metrics.handshakes.WithLabelValues("failed").Inc()
		return false
	}
	g.s.metrics.handshakes.WithLabelValues(tls.VersionName(t.ConnectionState().Version)).Inc()
	g.Conn = t
	g.w.Reset(t)
	return true
}

func (g *guard) tlsState() (state tls.ConnectionState, ok bool) {
	t, ok := g.Conn.(*tls.Conn)
	if ok {
		state = t.ConnectionState()
	}
	return state, ok
}
