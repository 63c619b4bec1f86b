package deliver

import (
	"context"
	"net/netip"

	"podmail/mail"
)

// maxConnections is how many connections one attempt may open.
const maxConnections = 12

// errSpent is a connection on which the host takes no further message.
var errSpent = &failure{kind: mail.TransferConnection, elsewhere: true, enhanced: "4.5.0", text: "the host takes no further message on this connection"}

// try hands the parcel over at the first host that takes it. What it returns is the failure of recipients who are
// still open.
func (c *Courier) try(ctx context.Context, p *parcel, hosts []host) (worst *failure) {
	k, f := c.learn(ctx, p.Transfer, hosts)
	if f != nil {
		return f
	}
	connections := 0
	for _, h := range hosts {
		y, f := c.demands(ctx, p.Transfer, h, k)
		if f != nil {
			worst = weigh(worst, f.at(h.name, ""))
			continue
		}
		key := poolKey{name: h.name, port: h.port, helo: p.HELO, security: y.id(), source: p.Source}
		if p.Relay != nil {
			key.user = p.Relay.Username + "\x00" + p.Relay.Password
		}
		f, stale := c.again(ctx, p, key)
		if !stale {
			if f == nil || !f.elsewhere {
				return f
			}
			worst = weigh(worst, f)
			continue
		}
		addresses, f := c.addresses(ctx, h, p.Source)
		for _, a := range addresses {
			if connections++; connections > maxConnections {
				return worst
			}
			f = c.visit(ctx, p, h, a, y, key)
			for most := maxRecipients; f != nil && (f == errSpent || f.elsewhere && p.most < most) && connections < maxConnections && ctx.Err() == nil; {
				most = p.most // that is how many it takes, or it has hung up on who wanted more
				connections++
				f = c.visit(ctx, p, h, a, y, key)
			}
			f = f.at(hostText(h, a), "")
			if f == nil || !f.elsewhere || ctx.Err() != nil {
				return f
			}
			worst = weigh(worst, f)
		}
		if len(addresses) == 0 {
			worst = weigh(worst, f)
		}
	}
	return worst
}

// visit opens a connection and sends the parcel through it.
func (c *Courier) visit(ctx context.Context, p *parcel, h host, a netip.Addr, y security, key poolKey) *failure {
	s, f := c.connect(ctx, p.Transfer, h, a, y)
	if f != nil {
		return f
	}
	return c.converse(ctx, p, s, key)
}

// again uses a connection that waits for another message. stale: there is none that lives.
func (c *Courier) again(ctx context.Context, p *parcel, key poolKey) (f *failure, stale bool) {
	for s := c.pool.take(key); s != nil; s = c.pool.take(key) {
		f = c.converse(ctx, p, s, key)
		if f == nil || f.kind != mail.TransferConnection || !f.elsewhere {
			return f, false
		}
	}
	return nil, true
}

// converse sends the parcel through a session, in as many transactions as the host needs, and keeps the session if it
// can be used again.
func (c *Courier) converse(ctx context.Context, p *parcel, s *session, key poolKey) *failure {
	done := s.use(ctx)
	defer func() {
		done()
		if ctx.Err() != nil {
			s.broken = true
		}
		c.pool.put(key, s)
	}()
	for len(p.open()) > 0 {
		before := len(p.open())
		if s.spent() {
			return errSpent
		}
		s.messages++
		if f := p.transact(ctx, s); f != nil {
			if p.Relay != nil && (f.code == 530 || f.code == 535 || f.code == 538) {
				f.permanent = false // it is the credentials' fault, not the message's
			}
			return f.at(s.host, s.tls)
		}
		if len(p.open()) == before { // a transaction settles somebody, or fails
			return failed(mail.TransferReply, "4.5.0", "%s takes no recipient", s.host).at(s.host, s.tls)
		}
	}
	return nil
}
