package verify

import (
	"net/netip"
	"strconv"
	"strings"

	"podmail/mail"
)

// spfRecord is a record that was read whole: one error anywhere makes it worthless (RFC 7208 4.6).
type spfRecord struct {
	mechanisms            []mechanism
	redirect, explanation string // domain-specs; empty: none
}

// mechanism is one directive (RFC 7208 4.6.1).
type mechanism struct {
	text      string
	name      string
	qualifier mail.AuthResult
	domain    string       // domain-spec; empty: the record's own domain
	network   netip.Prefix // of ip4 and ip6
	four, six int          // prefix lengths of a and mx
}

// covers tells whether an address of the mechanism's network is the peer's.
func (m *mechanism) covers(a, peer netip.Addr) bool {
	bits := m.six
	if a.Is4() {
		bits = m.four
	}
	network, err := a.Prefix(bits)
	return err == nil && network.Contains(peer)
}

var qualifiers = map[byte]mail.AuthResult{'+': mail.AuthPass, '-': mail.AuthFail, '~': mail.AuthSoftFail, '?': mail.AuthNeutral}

// readSPF reads a record. Terms are separated by spaces and nothing else (RFC 7208 12).
func readSPF(text string) (r spfRecord, err error) {
	for _, term := range strings.Split(text, " ")[1:] {
		if term == "" {
			continue
		}
		if name, value, ok := strings.Cut(term, "="); ok && isModifierName(name) {
			err = r.modifier(strings.ToLower(name), value)
		} else {
			err = r.mechanism(term)
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// isModifierName knows a name (RFC 7208 4.6.1).
func isModifierName(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || !('0' <= c && c <= '9') && c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return s != ""
}

func (r *spfRecord) modifier(name, value string) error {
	var place *string
	switch name {
	case "redirect":
		place = &r.redirect
	case "exp":
		place = &r.explanation
	default: // RFC 7208 6: to be ignored, if it is well formed
		return checkMacros(value)
	}
	if *place != "" {
		return permError("%s= stands twice", name)
	}
	*place = value
	return checkDomainSpec(value)
}

func (r *spfRecord) mechanism(term string) error {
	m := mechanism{text: term, qualifier: mail.AuthPass, four: 32, six: 128}
	rest := term
	if q, ok := qualifiers[rest[0]]; ok {
		m.qualifier, rest = q, rest[1:]
	}
	end := strings.IndexAny(rest, ":/")
	if end < 0 {
		end = len(rest)
	}
	m.name, rest = strings.ToLower(rest[:end]), rest[end:]
	if err := m.arguments(rest); err != nil {
		return err
	}
	r.mechanisms = append(r.mechanisms, m)
	return nil
}

// arguments reads what follows a mechanism's name.
func (m *mechanism) arguments(rest string) (err error) {
	switch m.name {
	case "all":
		if rest != "" {
			return m.wrong()
		}
		return nil
	case "ip4", "ip6":
		return m.readNetwork(rest)
	case "a", "mx":
		if rest, err = m.readLengths(rest); err != nil {
			return err
		}
		if rest == "" {
			return nil
		}
	case "ptr":
		if rest == "" {
			return nil
		}
	case "include", "exists":
	default:
		return permError("there is no mechanism %s", printable(m.name, 40))
	}
	domain, ok := strings.CutPrefix(rest, ":")
	if !ok {
		return m.wrong()
	}
	m.domain = domain
	return checkDomainSpec(domain)
}

func (m *mechanism) wrong() error { return permError("%s is no mechanism", printable(m.text, 100)) }

// readNetwork reads the network of ip4 and ip6 (RFC 7208 5.6).
func (m *mechanism) readNetwork(rest string) error {
	text, ok := strings.CutPrefix(rest, ":")
	address, length, has := strings.Cut(text, "/")
	a, err := netip.ParseAddr(address)
	if !ok || err != nil || a.Is4() != (m.name == "ip4") || a.Zone() != "" {
		return m.wrong()
	}
	bits := a.BitLen()
	if has {
		if bits, ok = prefixLength(length, bits); !ok {
			return m.wrong()
		}
	}
	m.network, err = a.Unmap().Prefix(min(bits, a.Unmap().BitLen()))
	if a.Is4In6() { // RFC 7208 5: an IPv4 peer is none of IPv6
		m.network = netip.Prefix{}
	}
	return err
}

// readLengths cuts the prefix lengths off (dual-cidr-length, RFC 7208 5.3).
func (m *mechanism) readLengths(rest string) (string, error) {
	if i := strings.LastIndex(rest, "//"); i >= 0 {
		bits, ok := prefixLength(rest[i+2:], 128)
		if !ok {
			return "", m.wrong()
		}
		m.six, rest = bits, rest[:i]
	}
	if i := strings.LastIndexByte(rest, '/'); i >= 0 && strings.Trim(rest[i+1:], "0123456789") == "" { // else it is one of the name's characters
		bits, ok := prefixLength(rest[i+1:], 32)
		if !ok {
			return "", m.wrong()
		}
		m.four, rest = bits, rest[:i]
	}
	return rest, nil
}

// prefixLength reads a number without leading zeros.
func prefixLength(s string, most int) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n <= most && strconv.Itoa(n) == s
}
