package verify

import (
	"context"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"podmail/mail"
	"podmail/server/dns"
)

func familyOf(a netip.Addr) dns.Family {
	if a.Is4() {
		return dns.IPv4
	}
	return dns.IPv6
}

// reverse looks for a name of the address that has the address (RFC 8601 2.7.3).
func (v *Verifier) reverse(ctx context.Context, a netip.Addr) mail.ReverseResult {
	names, err := v.o.Resolver.LookupPTR(ctx, a)
	if err != nil {
		return mail.ReverseResult{Result: mail.AuthTempError, Reason: err.Error()}
	}
	if len(names) == 0 {
		return mail.ReverseResult{Result: mail.AuthPermError, Reason: "the address has no name"}
	}
	var failures []error
	for _, name := range names[:min(len(names), maxNames)] {
		addresses, err := v.o.Resolver.LookupIP(ctx, familyOf(a), name)
		if slices.Contains(addresses, a) {
			return mail.ReverseResult{Result: mail.AuthPass, Name: name}
		}
		failures = append(failures, err)
	}
	if err := errors.Join(failures...); err != nil {
		return mail.ReverseResult{Result: mail.AuthTempError, Name: names[0], Reason: err.Error()}
	}
	return mail.ReverseResult{Result: mail.AuthFail, Name: names[0], Reason: "no name of the address has it"}
}

// blockLists asks every DNS block list about the address (RFC 5782 2). A list that does not answer lists nobody.
func (v *Verifier) blockLists(ctx context.Context, a netip.Addr) (listed []mail.ListedAt) {
	found := make([]*mail.ListedAt, len(v.o.BlockLists))
	var asking sync.WaitGroup
	for i, zone := range v.o.BlockLists {
		asking.Go(func() { found[i] = v.blockList(ctx, reversed(a)+zone, zone) })
	}
	asking.Wait()
	for _, l := range found {
		if l != nil {
			listed = append(listed, *l)
		}
	}
	return listed
}

// refusals are the answers with which lists refuse to answer: 127.255.255.0/24, by convention of the large ones.
var refusals = netip.MustParsePrefix("127.255.255.0/24")

func (v *Verifier) blockList(ctx context.Context, name, zone string) *mail.ListedAt {
	codes, err := v.o.Resolver.LookupIP(ctx, dns.IPv4, name)
	is := func(a netip.Addr) bool { return a.IsLoopback() && !refusals.Contains(a) } // RFC 5782 2.1
	if err != nil || !slices.ContainsFunc(codes, is) {
		return nil
	}
	l := &mail.ListedAt{Zone: zone}
	if texts, err := v.o.Resolver.LookupTXT(ctx, name); err == nil && len(texts) > 0 {
		l.Reason = printable(texts[0], 200)
	}
	return l
}

// reversed is an address as block lists name it, with a dot at its end (RFC 5782 2.1, 2.4).
func reversed(a netip.Addr) string {
	var b strings.Builder
	if a.Is4() {
		for _, n := range slices.Backward(a.AsSlice()) {
			b.WriteString(strconv.Itoa(int(n)) + ".")
		}
		return b.String()
	}
	for _, nibble := range slices.Backward([]byte(hex.EncodeToString(a.AsSlice()))) {
		b.Write([]byte{nibble, '.'})
	}
	return b.String()
}

// printable is the beginning of a text without what would break a line or a log.
func printable(s string, most int) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return '?'
		}
		return r
	}, s)
	if runes := []rune(clean); len(runes) > most {
		clean = string(runes[:most])
	}
	return clean
}
