package deliver

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"podmail/mail/mtasts"
)

const postTime = time.Minute // for handing a report over

// web asks a host that a stranger's DNS names, over TLS under a certificate for its name, without redirects, proxies or
// cookies. Like an MX it must have an address in the Internet, unless private ones are allowed.
func (c *Courier) web(h host) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx, h) },
			TLSClientConfig:        &tls.Config{RootCAs: c.o.Roots, MinVersion: tls.VersionTLS12, ServerName: h.name, Time: c.o.Clock.Now},
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: mtasts.MaxSize,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// dial connects to a host, at the first of its addresses that answers.
func (c *Courier) dial(ctx context.Context, h host) (net.Conn, error) {
	addresses, f := c.addresses(ctx, h, netip.Addr{})
	if f != nil {
		return nil, f
	}
	dialer := net.Dialer{Timeout: c.o.Times.Connect}
	var last error
	for _, a := range addresses {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), h.port))
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

// PostReport hands a TLS report over at a URL of https that a domain's record names (RFC 8460 3, 5.4). What is not an answer
// of 2xx is an error.
func (c *Courier) PostReport(ctx context.Context, to string, packed []byte) error {
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(packed))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/tlsrpt+gzip")
	request.Header.Set("User-Agent", "Podmail")
	h := host{name: u.Hostname(), port: u.Port()}
	set(&h.port, "443")
	h.address, _ = netip.ParseAddr(h.name) // not valid: a name
	response, err := c.web(h).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		text, err := io.ReadAll(io.LimitReader(response.Body, 200))
		if err != nil {
			return fmt.Errorf("%s answers %s, and breaks off: %w", u.Host, response.Status, err)
		}
		return fmt.Errorf("%s answers %s: %q", u.Host, response.Status, text)
	}
	return nil
}
