package receive

import (
	"crypto/tls"
	"net"
	"net/netip"
	"time"
)

// listener hands go-smtp connections that are counted and guarded. go-smtp learns of TLS from the outermost type, so a
// TLS connection keeps it and has its guard below.
type listener struct {
	net.Listener
	s *Server
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		inner, outer := raw, raw
		if t, ok := raw.(*tls.Conn); ok {
			inner = t.NetConn()
		}
		c, refusal := l.s.admit(inner)
		if refusal != "" {
			raw.SetWriteDeadline(time.Now().Add(time.Second))
			raw.Write([]byte(refusal + "\r\n")) // a courtesy: it may fail
			raw.Close()
			continue
		}
		if _, ok := raw.(*tls.Conn); ok {
			c.secret = true
			outer = tls.Server(c, l.s.o.TLSConfig)
		} else {
			outer = c
		}
		return outer, nil
	}
}

// admit counts a connection, or says why it cannot be taken.
func (s *Server) admit(raw net.Conn) (*conn, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ip := remoteIP(raw)
	switch {
	case s.closing:
		return nil, "421 4.3.2 " + s.o.Hostname + " is shutting down"
	case len(s.conns) >= s.o.MaxConnections:
		return nil, "421 4.3.2 Too many connections, try again later"
	case !ip.IsLoopback() && s.perIP[ip.String()] >= s.o.MaxPerIP:
		return nil, "421 4.7.0 Too many connections from your address"
	}
	c := &conn{Conn: raw, s: s, ip: ip, trace: newTrace()}
	s.conns[c] = struct{}{}
	s.perIP[ip.String()]++
	return c, ""
}

func (s *Server) dismiss(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.perIP[c.ip.String()]--; s.perIP[c.ip.String()] <= 0 {
		delete(s.perIP, c.ip.String())
	}
	s.gone.Broadcast()
}

func remoteIP(c net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
