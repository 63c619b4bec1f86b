package mail

import "net/netip"

// specialNetworks are the networks that are not of the public Internet, or lead out of it (IANA's registries of special-purpose
// addresses, RFC 6890), beside those that netip knows.
var specialNetworks = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
)

// embeddingNetworks are the networks whose addresses hold an IPv4 address, and where it begins (RFC 6052 2.1, RFC 3056 2).
var embeddingNetworks = map[netip.Prefix]int{netip.MustParsePrefix("64:ff9b::/96"): 12, netip.MustParsePrefix("2002::/16"): 2}

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
	for _, p := range specialNetworks {
		if p.Contains(a) {
			return false
		}
	}
	for p, at := range embeddingNetworks {
		if p.Contains(a) {
			b := a.As16()
			return IsPublic(netip.AddrFrom4([4]byte(b[at : at+4])))
		}
	}
	return true
}
