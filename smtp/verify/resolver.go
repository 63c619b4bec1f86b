package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"

	"podmail/mail"
	"podmail/server/dns"
)

// plainResolver is a resolver whose failures may be shown to whoever asks why a message is where it is. What they tell of
// resolvers and sockets is the operator's, and logged.
type plainResolver struct {
	dns.Resolver
	log *slog.Logger
}

// LookupTXT implements dns.Resolver.
func (r plainResolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	texts, err := r.Resolver.LookupTXT(ctx, name)
	return texts, r.plain(ctx, "TXT", name, err)
}

// LookupMX implements dns.Resolver.
func (r plainResolver) LookupMX(ctx context.Context, name string) ([]dns.MX, error) {
	hosts, err := r.Resolver.LookupMX(ctx, name)
	return hosts, r.plain(ctx, "MX", name, err)
}

// LookupIP implements dns.Resolver.
func (r plainResolver) LookupIP(ctx context.Context, family dns.Family, name string) ([]netip.Addr, error) {
	addresses, err := r.Resolver.LookupIP(ctx, family, name)
	return addresses, r.plain(ctx, string(family), name, err)
}

// LookupPTR implements dns.Resolver.
func (r plainResolver) LookupPTR(ctx context.Context, address netip.Addr) ([]string, error) {
	names, err := r.Resolver.LookupPTR(ctx, address)
	return names, r.plain(ctx, "PTR", address.String(), err)
}

// plain logs a failure and says what of it concerns everybody.
func (r plainResolver) plain(ctx context.Context, kind, name string, err error) error {
	if err == nil {
		return nil
	}
	r.log.Info("DNS gives no answer", "trace", mail.TraceID(ctx), "type", kind, "name", name, "error", err)
	if refused, ok := errors.AsType[*dns.RefusedError](err); ok {
		return fmt.Errorf("DNS answers %s when asked for %s of %s", refused.Code, kind, name)
	}
	return fmt.Errorf("DNS does not answer when asked for %s of %s", kind, name)
}
