package deliver

import (
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"podmail/mail"
	"podmail/server/dns"
)

const (
	maxHosts     = 10 // of a destination that are tried
	maxAddresses = 4  // of a host that are tried
)

// host is where a transfer may be handed over.
type host struct {
	name     string // without final dot; an address literal's address
	domain   string // whose mail it takes; empty: a relay, or a literal
	port     string
	address  netip.Addr // of a literal
	implicit bool       // there is no MX: the destination itself
	relay    bool
}

// route finds the hosts of a transfer, the best first (RFC 5321 5.1).
func (c *Courier) route(ctx context.Context, t mail.Transfer) ([]host, *failure) {
	if r := t.Relay; r != nil {
		h := host{name: strings.Trim(r.Host, "[]"), port: relayPort(r), relay: true}
		h.address, _ = netip.ParseAddr(h.name)
		if strings.EqualFold(h.name, "localhost") { // RFC 6761 6.3
			h.address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		return []host{h}, nil
	}
	if strings.HasPrefix(t.Destination, "[") {
		address, ok := literal(t.Destination)
		if !ok {
			return nil, failed(mail.TransferDNS, "5.1.2", "%.100q is no address literal", t.Destination)
		}
		return []host{{name: address.String(), port: c.o.Port, address: address}}, nil
	}
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(t.Destination, "."))
	if err != nil {
		name = strings.ToLower(t.Destination) // names with underscores and the like are no one's business but DNS's
	}
	if !isASCII(name) || name == "" || len(name) > 253 {
		return nil, failed(mail.TransferDNS, "5.1.2", "%.300q is no domain", t.Destination)
	}
	records, err := c.o.Resolver.LookupMX(ctx, name)
	if err != nil {
		return nil, failed(mail.TransferDNS, "4.4.3", "%v", err)
	}
	return c.choose(name, records, t.HELO)
}

func relayPort(r *mail.Relay) string {
	switch {
	case r.Port != "":
		return r.Port
	case r.ImplicitTLS:
		return "465" // RFC 8314 3.3
	}
	return "587"
}

// literal reads an address literal (RFC 5321 4.1.3).
func literal(s string) (netip.Addr, bool) {
	s, ok := strings.CutSuffix(strings.TrimPrefix(s, "["), "]")
	const tag = "ipv6:" // in any case (RFC 5234 2.3)
	isSix := len(s) > len(tag) && strings.EqualFold(s[:len(tag)], tag)
	if isSix {
		s = s[len(tag):]
	}
	a, err := netip.ParseAddr(s)
	return a, ok && err == nil && a.Is4() != isSix && a.Zone() == ""
}

// choose orders the hosts of a domain: by preference, equal ones in any order, and none that is not better than we are,
// if we are one of them.
func (c *Courier) choose(name string, records []dns.MX, helo string) ([]host, *failure) {
	if len(records) == 0 {
		records = []dns.MX{{Host: name}}
		if !c.isUs(name, helo) {
			return []host{{name: name, domain: name, port: c.o.Port, implicit: true}}, nil
		}
	}
	usable := slices.DeleteFunc(slices.Clone(records), func(mx dns.MX) bool { return mx.Host == "." || mx.Host == "" })
	if len(usable) == 0 { // RFC 7505 3
		return nil, failed(mail.TransferDNS, "5.1.10", "%s takes no mail: its MX is null", name)
	}
	c.shuffle(usable)
	slices.SortStableFunc(usable, func(a, b dns.MX) int { return int(a.Preference) - int(b.Preference) })
	if us := slices.IndexFunc(usable, func(mx dns.MX) bool { return c.isUs(mx.Host, helo) }); us >= 0 {
		best := usable[us].Preference
		usable = slices.DeleteFunc(usable, func(mx dns.MX) bool { return mx.Preference >= best })
		if len(usable) == 0 {
			return nil, loops(name)
		}
	}
	var hosts []host
	for _, mx := range usable[:min(len(usable), maxHosts)] {
		hosts = append(hosts, host{name: mx.Host, domain: name, port: c.o.Port})
	}
	return hosts, nil
}

func loops(name string) *failure {
	return failed(mail.TransferDNS, "5.4.6", "mail for %s loops back to us: we are its MX, and it is no domain of ours", name)
}

// isUs tells whether a name is ours (RFC 5321 5.1).
func (c *Courier) isUs(name, helo string) bool {
	return strings.EqualFold(name, helo) || strings.EqualFold(name, c.o.Hostname)
}

// shuffle spreads the load over hosts of equal preference (RFC 5321 5.1).
func (c *Courier) shuffle(records []dns.MX) {
	var seed [16]byte
	if _, err := io.ReadFull(c.o.Random, seed[:]); err != nil {
		c.o.Log.Warn("no randomness: hosts of equal preference stay in the order of the answer", "error", err)
		return
	}
	order := rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed[:8]), binary.BigEndian.Uint64(seed[8:])))
	order.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
}

// addresses looks up where a host can be reached from source: IPv6 and IPv4 in turns, so that one that does not work
// costs one attempt (RFC 8305 4).
func (c *Courier) addresses(ctx context.Context, h host, source netip.Addr) ([]netip.Addr, *failure) {
	if h.address.IsValid() {
		return c.permitted(h, []netip.Addr{h.address})
	}
	found := map[dns.Family][]netip.Addr{}
	var failure error
	for _, family := range []dns.Family{dns.IPv6, dns.IPv4} {
		if source.IsValid() && source.Is4() != (family == dns.IPv4) {
			continue
		}
		addresses, err := c.o.Resolver.LookupIP(ctx, family, h.name)
		if err != nil {
			failure = err
		}
		found[family] = addresses
	}
	var all []netip.Addr
	for i := range max(len(found[dns.IPv6]), len(found[dns.IPv4])) {
		for _, family := range []dns.Family{dns.IPv6, dns.IPv4} {
			if i < len(found[family]) {
				all = append(all, found[family][i])
			}
		}
	}
	switch {
	case len(all) > 0:
		return c.permitted(h, all)
	case failure != nil:
		return nil, failed(mail.TransferDNS, "4.4.3", "%v", failure).orElsewhere()
	case h.relay:
		return nil, failed(mail.TransferDNS, "4.4.4", "the relay %s has no address", h.name)
	case h.implicit:
		return nil, failed(mail.TransferDNS, "5.1.2", "%s has neither MX nor address", h.name)
	}
	return nil, failed(mail.TransferDNS, "5.4.4", "%s, which is to take the mail, has no address that we can reach", h.name).orElsewhere()
}

// permitted leaves out addresses that strangers must not make us call. A relay is the operator's choice.
func (c *Courier) permitted(h host, all []netip.Addr) ([]netip.Addr, *failure) {
	if !h.relay && !c.o.AllowPrivate {
		all = slices.DeleteFunc(slices.Clone(all), func(a netip.Addr) bool { return !mail.IsPublic(a) })
	}
	if len(all) == 0 {
		return nil, failed(mail.TransferDNS, "5.4.4", "%s has no address in the Internet, and delivery.allow_private is off", h.name).orElsewhere()
	}
	return all[:min(len(all), maxAddresses)], nil
}
