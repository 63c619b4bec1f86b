package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"podmail/mail"
	"podmail/mail/tlsrpt"
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
	if !h.relay && strings.Contains(s.itself, ".") && c.isUs(s.itself, t.HELO) { // the MX is another name of ours; localhost is everybody's
		return loops(t.Destination).orElsewhere()
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
		if err := s.authenticate(t.Relay, c.o.Random); err != nil {
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
		return c.without(s, h, y, "it is not offered")
	}
	r, err := s.ask(c.o.Times.Greeting, "STARTTLS")
	switch {
	case err != nil:
		return c.broken(s, h, y, fmt.Errorf("after STARTTLS: %w", err))
	case r.code != 220:
		return c.without(s, h, y, "it is not started: "+r.text)
	case s.r.Buffered() > 0: // somebody in between has put them there (RFC 3207 6)
		return c.broken(s, h, y, errors.New("bytes came before TLS began"))
	}
	if err := c.handshake(s, h, y); err != nil {
		return err
	}
	err = s.hello(t.HELO) // what was offered in plain text does not count (RFC 3207 4.2)
	if err != nil && s.broken {
		return c.broken(s, h, y, err) // in TLS 1.3 a server may object only now
	}
	return err
}

// without goes on in plain text if it may.
func (c *Courier) without(s *session, h host, y security, why string) error {
	c.count(s, h, y, "starttls-not-supported", why)
	if y.required {
		return unmet(y, "4.7.4", "%s: %s", h.name, why)
	}
	return nil
}

// broken ends a connection on which TLS has failed.
func (c *Courier) broken(s *session, h host, y security, err error) error {
	s.broken = true
	if s.ctx.Err() != nil {
		return lost(err, "in the TLS handshake")
	}
	c.count(s, h, y, resultType(err), err.Error())
	if y.required {
		return unmet(y, "4.7.5", "%s: %v", h.name, err)
	}
	return fmt.Errorf("%w: %w", errHandshake, err)
}

func (c *Courier) handshake(s *session, h host, y security) error {
	var verdict error
	if err := s.secure(c.config(h, y, &verdict)); err != nil {
		return c.broken(s, h, y, err)
	}
	switch {
	case y.verified:
		s.tls += ", verified for " + y.by
	case verdict == nil:
		s.tls += ", verified"
	default:
		s.tls += ", not verified"
	}
	if verdict != nil && y.policy.Type == "sts" { // in testing: it is only told
		c.count(s, h, y, resultType(verdict), verdict.Error())
	} else {
		c.count(s, h, y, "", "")
	}
	return nil
}

// count notes how a connection fared under a host's policy; no kind: well.
func (c *Courier) count(s *session, h host, y security, kind, why string) {
	f := tlsrpt.Failure{}
	if kind != "" {
		f = tlsrpt.Failure{Type: kind, ReceivingMX: h.name, Reason: why}
		if a, ok := s.raw.RemoteAddr().(*net.TCPAddr); ok {
			f.ReceivingIP = a.AddrPort().Addr().Unmap().String()
		}
		if a, ok := s.raw.LocalAddr().(*net.TCPAddr); ok {
			f.SendingIP = a.AddrPort().Addr().Unmap().String()
		}
	}
	c.tally.note(y.policy, f)
}
