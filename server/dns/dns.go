// Package dns asks the domain name system. Resolver is the seam: the network behind Client, or the map that tests hand
// to the server.
package dns

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"podmail/mail"
)

// Resolver looks records up. A name is given without a final dot. An empty list and no error mean that DNS answered, and
// that there is no such record; an error, that nothing can be said.
type Resolver interface {
	// LookupMX returns the hosts, without final dots, the most preferred first. A null MX (RFC 7505) is the host ".".
	LookupMX(ctx context.Context, name string) ([]MX, error)
	// LookupTXT returns the texts, each with its strings joined.
	LookupTXT(ctx context.Context, name string) ([]string, error)
	// LookupCNAME returns the name that stands at name itself, without final dot; at most one by the rules of DNS.
	LookupCNAME(ctx context.Context, name string) ([]string, error)
	// Canonical returns the name that name is an alias of in the end, without final dot; itself if it is none.
	Canonical(ctx context.Context, name string) (string, error)
	// LookupIP returns the addresses of a family (IPv4 or IPv6) in the order of the answer.
	LookupIP(ctx context.Context, family Family, name string) ([]netip.Addr, error)
	// LookupPTR returns the names of an address, without final dots (RFC 1035 3.5, RFC 3596 2.5).
	LookupPTR(ctx context.Context, address netip.Addr) ([]string, error)
	// LookupTLSA returns the records of DANE (RFC 6698) at a name such as _25._tcp.mx.example.
	LookupTLSA(ctx context.Context, name string) ([]TLSA, error)
	// IsSecure tells whether the resolver vouches by DNSSEC for what it answers to this question, the absence of a record
	// included (RFC 4035 3.2.3).
	IsSecure(ctx context.Context, kind mail.RecordType, name string) (bool, error)
}

// Family is a kind of address.
type Family string

// The families, by the record that holds an address.
const (
	IPv4 Family = "A"
	IPv6 Family = "AAAA"
)

// MX is a host that takes mail for a name (RFC 1035 3.3.9).
type MX struct {
	Preference uint16 // the lowest is tried first
	Host       string
}

// TLSA binds a certificate to a name (RFC 6698 2.1).
type TLSA struct {
	Usage, Selector, MatchingType uint8
	Data                          []byte
}

const (
	tryTime    = 3 * time.Second // for one question to one server
	tries      = 2               // rounds over the servers
	udpSize    = 1232            // that passes without fragments, RFC 9715 3
	maxRecords = 100             // of an answer that are looked at
	maxText    = 64 << 10        // bytes of all TXT records of an answer
	resolvConf = "/etc/resolv.conf"
)

// Client asks recursive resolvers. It is safe for concurrent use.
type Client struct {
	servers func() ([]string, error)
	trusted bool // a remote server's word on DNSSEC
}

// NewClient returns a client of the resolver at server, host:port; empty: of the system's. What a resolver says of
// DNSSEC is believed if it runs on this machine or is trusted: nothing else protects its answers on their way here
// (RFC 7672 2.2).
func NewClient(server string, trusted bool) *Client {
	if server != "" {
		return &Client{servers: func() ([]string, error) { return []string{server}, nil }, trusted: trusted}
	}
	return &Client{servers: systemServers, trusted: trusted}
}

// systemServers reads the file at every question: it changes when a machine joins another network.
func systemServers() ([]string, error) {
	conf, err := dns.ClientConfigFromFile(resolvConf)
	if err != nil {
		return nil, fmt.Errorf("no resolver: %w; set dns.resolver", err)
	}
	if len(conf.Servers) == 0 {
		return nil, fmt.Errorf("%s names no resolver; set dns.resolver", resolvConf)
	}
	servers := make([]string, len(conf.Servers))
	for i, s := range conf.Servers {
		servers[i] = net.JoinHostPort(s, conf.Port)
	}
	return servers, nil
}

// LookupMX implements Resolver.
func (c *Client) LookupMX(ctx context.Context, name string) (records []MX, err error) {
	_, err = c.lookup(ctx, name, dns.TypeMX, func(rr dns.RR) {
		if mx, ok := rr.(*dns.MX); ok {
			records = append(records, MX{mx.Preference, bare(mx.Mx)})
		}
	})
	slices.SortStableFunc(records, func(a, b MX) int { return int(a.Preference) - int(b.Preference) })
	return records, err
}

// LookupTXT implements Resolver.
func (c *Client) LookupTXT(ctx context.Context, name string) (texts []string, err error) {
	size := 0
	_, err = c.lookup(ctx, name, dns.TypeTXT, func(rr dns.RR) {
		if txt, ok := rr.(*dns.TXT); ok {
			text := unescape(strings.Join(txt.Txt, ""))
			if size += len(text); size <= maxText {
				texts = append(texts, text)
			}
		}
	})
	return texts, err
}

// LookupCNAME implements Resolver.
func (c *Client) LookupCNAME(ctx context.Context, name string) (targets []string, err error) {
	_, err = c.lookup(ctx, name, dns.TypeCNAME, func(rr dns.RR) {
		if cname, ok := rr.(*dns.CNAME); ok && strings.EqualFold(bare(cname.Hdr.Name), name) {
			targets = append(targets, bare(cname.Target))
		}
	})
	return targets, err
}

// Canonical implements Resolver. The aliases of a name come with the answer to any question about it (RFC 1034 4.3.2).
func (c *Client) Canonical(ctx context.Context, name string) (string, error) {
	aliases := map[string]string{}
	_, err := c.lookup(ctx, name, dns.TypeA, func(rr dns.RR) {
		if cname, ok := rr.(*dns.CNAME); ok {
			aliases[bare(cname.Hdr.Name)] = bare(cname.Target)
		}
	})
	name = bare(name)
	for range len(aliases) {
		if target, ok := aliases[name]; ok {
			name = target
		}
	}
	return name, err
}

// LookupIP implements Resolver.
func (c *Client) LookupIP(ctx context.Context, family Family, name string) (addresses []netip.Addr, err error) {
	kind := dns.TypeA
	if family == IPv6 {
		kind = dns.TypeAAAA
	}
	_, err = c.lookup(ctx, name, kind, func(rr dns.RR) {
		var ip net.IP
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A.To4()
		case *dns.AAAA:
			ip = rr.AAAA
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			addresses = append(addresses, a)
		}
	})
	return addresses, err
}

// LookupPTR implements Resolver.
func (c *Client) LookupPTR(ctx context.Context, address netip.Addr) (names []string, err error) {
	reverse, err := dns.ReverseAddr(address.Unmap().WithZone("").String())
	if err != nil {
		return nil, fmt.Errorf("look up PTR %s: %w", address, err)
	}
	_, err = c.lookup(ctx, reverse, dns.TypePTR, func(rr dns.RR) {
		if ptr, ok := rr.(*dns.PTR); ok {
			names = append(names, bare(ptr.Ptr))
		}
	})
	return names, err
}

// LookupTLSA implements Resolver.
func (c *Client) LookupTLSA(ctx context.Context, name string) (records []TLSA, err error) {
	_, err = c.lookup(ctx, name, dns.TypeTLSA, func(rr dns.RR) {
		if tlsa, ok := rr.(*dns.TLSA); ok {
			if data, err := hex.DecodeString(tlsa.Certificate); err == nil { // what is no hexadecimal cannot match
				records = append(records, TLSA{tlsa.Usage, tlsa.Selector, tlsa.MatchingType, data})
			}
		}
	})
	return records, err
}

// IsSecure implements Resolver.
func (c *Client) IsSecure(ctx context.Context, kind mail.RecordType, name string) (bool, error) {
	number, ok := dns.StringToType[string(kind)]
	if !ok {
		return false, fmt.Errorf("look up %s %s: no such type", kind, name)
	}
	return c.lookup(ctx, name, number, func(dns.RR) {})
}

// lookup asks for records of a type at name, or at what name is an alias of: a recursive resolver answers with the whole
// chain (RFC 1034 4.3.2). secure: the resolver vouches for the answer, and is believed.
func (c *Client) lookup(ctx context.Context, name string, kind uint16, each func(dns.RR)) (secure bool, err error) {
	question := new(dns.Msg)
	question.SetQuestion(dns.Fqdn(name), kind)
	question.SetEdns0(udpSize, false)
	question.AuthenticatedData = true // tell us whether it was validated, RFC 6840 5.7
	answer, from, err := c.ask(ctx, question)
	if err != nil {
		return false, fmt.Errorf("look up %s %s: %w", dns.TypeToString[kind], name, err)
	}
	for i, rr := range answer.Answer {
		if i == maxRecords {
			break
		}
		each(rr)
	}
	return answer.AuthenticatedData && (c.trusted || isLoopback(from)), nil
}

func isLoopback(server string) bool {
	a, err := netip.ParseAddrPort(server)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// RefusedError is a server's answer that it cannot or will not tell (RFC 1035 4.1.1).
type RefusedError struct {
	Server string
	Code   string // SERVFAIL, REFUSED …
}

func (e *RefusedError) Error() string { return e.Server + " answers " + e.Code }

// ask asks each server in turn until one answers for sure, and tells which did.
func (c *Client) ask(ctx context.Context, question *dns.Msg) (answer *dns.Msg, from string, err error) {
	servers, err := c.servers()
	if err != nil {
		return nil, "", err
	}
	var failures []error
	for range tries {
		for _, server := range servers {
			answer, err := exchange(ctx, question, server)
			if err == nil {
				return answer, server, nil
			}
			failures = append(failures, err)
			if ctx.Err() != nil {
				return nil, "", errors.Join(failures...)
			}
		}
	}
	return nil, "", errors.Join(failures...)
}

// exchange asks one server: over UDP, and again over TCP if the answer did not fit (RFC 7766 5).
func exchange(ctx context.Context, question *dns.Msg, server string) (*dns.Msg, error) {
	for _, network := range []string{"udp", "tcp"} {
		client := dns.Client{Net: network, Timeout: tryTime}
		question.Id = dns.Id()
		answer, _, err := client.ExchangeContext(ctx, question, server)
		if err != nil {
			return nil, fmt.Errorf("%s/%s: %w", server, network, err)
		}
		if answer.Truncated && network == "udp" {
			continue
		}
		if answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
			return nil, &RefusedError{server, dns.RcodeToString[answer.Rcode]}
		}
		return answer, nil
	}
	return nil, fmt.Errorf("%s: the answer is cut off", server)
}
