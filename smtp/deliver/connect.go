package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"podmail/mail"
)

// errHandshake is TLS that failed although nothing demands it: the connection is lost, plain text may work.
var errHandshake = errors.New("TLS failed")

// connect opens a session to a host at an address, up to where mail can be sent. Where TLS is not demanded and does not
// work, it goes without (RFC 7435).
func (c *Courier) connect(ctx context.Context, t mail.Transfer, h host, a netip.Addr, y security) (*session, *failure) {
	s, err := c.open(ctx, t, h, a, y, true)
	if errors.Is(err, errHandshake) {
		c.o.Log.Info("sending in plain text, since TLS failed", "trace", t.TraceID, "host", h.name, "address", a, "error", err)
		s, err = c.open(ctx, t, h, a, y, false)
	}
	if err != nil {
		return nil, lost(err, "connecting")
	}
	return s, nil
}

// open is one attempt to connect.
func (c *Courier) open(ctx context.Context, t mail.Transfer, h host, a netip.Addr, y security, useTLS bool) (*session, error) {
	dialer := net.Dialer{Timeout: c.o.Times.Connect}
	if t.Source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(t.Source, 0))
	}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), h.port))
	if err != nil {
		return nil, failed(mail.TransferConnection, "4.4.1", "%s: %v", h.name, err).orElsewhere()
	}
	s := newSession(ctx, conn, c.o.Times, hostText(h, a))
	done := s.use(ctx)
	defer done()
	if err := c.begin(s, t, h, y, useTLS); err != nil {
		s.quit()
		return nil, err
	}
	return s, nil
}

// begin brings a connection up to where mail can be sent.
func (c *Courier) begin(s *session, t mail.Transfer, h host, y security, useTLS bool) error {
	if t.Relay != nil && t.Relay.ImplicitTLS {
		if err := c.handshake(s, h, y); err != nil {
			return err
		}
	}
	if err := s.greet(); err != nil {
		return err
	}
	if err := s.hello(t.HELO); err != nil {
		return err
	}
	if s.tls == "" && useTLS {
		if err := c.upgrade(s, t, h, y); err != nil {
			return err
		}
	}
	if t.RequireTLS && !s.offers("REQUIRETLS") { // RFC 8689 4.2.1
		return failed(mail.TransferTLS, "5.7.30", "%s does not offer REQUIRETLS, which the message demands", h.name).orElsewhere()
	}
	if t.Relay != nil && t.Relay.Username != "" {
		if err := s.authenticate(t.Relay); err != nil {
			return err
		}
	}
	return nil
}

// hostText is how a host is named to people.
func hostText(h host, a netip.Addr) string {
	if h.address.IsValid() {
		return "[" + a.String() + "]"
	}
	return fmt.Sprintf("%s [%s]", h.name, a)
}

// upgrade goes on under TLS if the host offers it (RFC 3207).
func (c *Courier) upgrade(s *session, t mail.Transfer, h host, y security) error {
	if !s.offers("STARTTLS") {
		if y.required {
			return unmet(y, "4.7.4", "%s does not offer TLS", h.name)
		}
		return nil
	}
	r, err := s.ask(c.o.Times.Greeting, "STARTTLS")
	switch {
	case err != nil && y.required:
		return unmet(y, "4.7.5", "%s: after STARTTLS: %v", h.name, err)
	case err != nil:
		return fmt.Errorf("%w: %w", errHandshake, err)
	case r.code != 220 && y.required:
		return unmet(y, "4.7.4", "%s will not start it: %s", h.name, r.text)
	case r.code != 220:
		return nil
	case s.r.Buffered() > 0: // somebody in between has put them there (RFC 3207 6)
		s.broken = true
		if y.required {
			return unmet(y, "4.7.5", "%s sent bytes before TLS began", h.name)
		}
		return fmt.Errorf("%w: bytes came before it began", errHandshake)
	}
	if err := c.handshake(s, h, y); err != nil {
		return err
	}
	err = s.hello(t.HELO)                                            // what was offered in plain text does not count (RFC 3207 4.2)
	if s.broken && err != nil && !y.required && s.ctx.Err() == nil { // in TLS 1.3 a server may object only now
		return fmt.Errorf("%w: %w", errHandshake, err)
	}
	return err
}

func (c *Courier) handshake(s *session, h host, y security) error {
	var verified bool
	if err := s.secure(c.config(h, y, &verified)); err != nil {
		switch {
		case s.ctx.Err() != nil:
			return lost(err, "in the TLS handshake")
		case y.required:
			return unmet(y, "4.7.5", "%s: %v", h.name, err)
		}
		return fmt.Errorf("%w: %w", errHandshake, err)
	}
	switch {
	case y.verified:
		s.tls += ", verified for " + y.by
	case verified:
		s.tls += ", verified"
	default:
		s.tls += ", not verified"
	}
	return nil
}
