// Package outbound asks URLs that users gave: endpoints of webhooks, files to attach. Such a URL must not become a way
// into the network that the server stands in, so every connection is made to an address that everybody can reach, whatever
// the URL's name resolved to before and wherever a redirect leads.
package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"podmail/mail"
)

// ErrPrivate is why a connection was not made: the address is not one of the public Internet.
var ErrPrivate = errors.New("the address is private")

const (
	connectTime = 10 * time.Second
	tlsTime     = 10 * time.Second
	headerTime  = 15 * time.Second // until an answer begins
	maxHeader   = 64 << 10         // bytes of an answer's header
	idleTime    = 30 * time.Second
	idleEach    = 2 // connections kept of one host
	idleAll     = 100
)

// NewClient returns a client that follows up to so many redirects, none if 0: then an answer that redirects is returned as
// it is. It keeps no cookies, knows no proxy, and bounds each step but the reading of bodies: callers bound those, and the
// whole by a context. allowPrivate lifts the guard, for installations whose users are on the same machine.
func NewClient(allowPrivate bool, redirects int) *http.Client {
	dialer := &net.Dialer{Timeout: connectTime}
	if !allowPrivate {
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return check(address) }
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    tlsTime,
			ResponseHeaderTimeout:  headerTime,
			MaxResponseHeaderBytes: maxHeader,
			IdleConnTimeout:        idleTime,
			MaxIdleConns:           idleAll,
			MaxIdleConnsPerHost:    idleEach,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			r.Header.Del("Referer") // a signed URL is as good as a key
			switch {
			case redirects == 0:
				return http.ErrUseLastResponse
			case len(via) > redirects:
				return fmt.Errorf("more than %d redirects", redirects)
			case r.URL.Scheme != "http" && r.URL.Scheme != "https":
				return fmt.Errorf("redirected to a URL of %s", r.URL.Scheme)
			}
			return nil
		},
	}
}

// check looks at the address that is about to be dialled, after its name was resolved.
func check(address string) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	if !mail.IsPublic(a.Addr()) {
		return fmt.Errorf("%s: %w", a.Addr(), ErrPrivate)
	}
	return nil
}
