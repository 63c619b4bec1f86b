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
			switch {
			case redirects == 0:
				return http.ErrUseLastResponse
			case len(via) > redirects:
				return fmt.Errorf("more than %d redirects", redirects)
			case r.URL.Scheme != "http" && r.URL.Scheme != "https":
				return fmt.Errorf("redirected to %s:", r.URL.Scheme)
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
	if !IsPublic(a.Addr()) {
		return fmt.Errorf("%s: %w", a.Addr(), ErrPrivate)
	}
	return nil
}

// special are the networks that are not of the public Internet, or lead out of it (IANA's registries of special-purpose
// addresses, RFC 6890), beside those that netip knows.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
)

// embedding are the networks whose addresses hold an IPv4 address, and where it begins (RFC 6052 2.1, RFC 3056 2).
var embedding = map[netip.Prefix]int{netip.MustParsePrefix("64:ff9b::/96"): 12, netip.MustParsePrefix("2002::/16"): 2}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, t := range texts {
		list = append(list, netip.MustParsePrefix(t))
	}
	return list
}

// IsPublic tells whether an address is one that everybody on the Internet can reach.
func IsPublic(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if a.IsPrivate() || a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.IsInterfaceLocalMulticast() || !a.IsValid() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	for p, at := range embedding {
		if p.Contains(a) {
			b := a.As16()
			return IsPublic(netip.AddrFrom4([4]byte(b[at : at+4])))
		}
	}
	return true
}
