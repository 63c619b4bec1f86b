package receive

import (
	"bufio"
	"context"
	"crypto/tls"

	"podmail/smtp/wire"
)

// startTLS goes on under TLS (RFC 3207). Whatever was said before is forgotten, and whatever was sent in plain text behind
// the command ends the session: taken for what came under TLS it would be an attacker's (CVE-2011-0411).
func (x *session) startTLS(argument string) *wire.Reply {
	_, secret := x.tlsState()
	switch {
	case x.s.o.TLSConfig == nil:
		return wire.NewReply(502, "5.5.1", "There is no TLS here")
	case secret:
		return wire.NewReply(503, "5.5.1", "TLS is there already")
	case argument != "":
		return wire.NewReply(501, "5.5.4", "STARTTLS stands alone")
	case x.r.Buffered() > 0:
		x.log.Warn("hung up: plain text behind STARTTLS")
		return x.hangUp(421, "4.7.0", "Nothing may follow STARTTLS before TLS does")
	}
	x.send(wire.NewReply(220, "2.0.0", "Go ahead"))
	x.w.Flush() // the handshake sees what became of it
	x.mail, x.helo, x.extended, x.grant = nil, "", false, nil
	x.handshake()
	return nil
}

// handshake puts TLS over the connection, or ends the session.
func (x *session) handshake() bool {
	x.c.expect(handshakeTime)
	t := tls.Server(x.c, x.s.o.TLSConfig)
	ctx, cancel := context.WithTimeout(x.ctx, handshakeTime)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		x.log.Info("TLS handshake failed", "error", err)
		x.s.metrics.handshakes.WithLabelValues("failed").Inc()
		x.over = true
		return false
	}
	x.s.metrics.handshakes.WithLabelValues(tls.VersionName(t.ConnectionState().Version)).Inc()
	x.stream, x.w = t, bufio.NewWriterSize(t, 1<<10)
	return true
}
