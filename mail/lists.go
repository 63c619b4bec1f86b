package mail

import (
	"slices"
	"strings"
	"time"
)

// Direction is what a list is about (contract: semantics.md, Lists).
type Direction string

// The directions. A message that answers one of ours is judged by the reply lists, any other that comes in by the
// receive lists.
const (
	DirectionSend    Direction = "send"
	DirectionReceive Direction = "receive"
	DirectionReply   Direction = "reply"
)

// ListType tells what a list does.
type ListType string

// The types.
const (
	ListAllow ListType = "allow"
	ListBlock ListType = "block"
)

// ListEntry is an address or a domain, with its subdomains, on a list of one scope.
type ListEntry struct {
	ID        int64
	Scope     Scope
	PodID     string // empty: organization
	InboxID   string // empty: organization or pod
	Direction Direction
	Type      ListType
	Entry     string
	Reason    string
	ReadOnly  bool // made by the server; the organization's keys alone may delete it
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
}

// IsAddress tells an address from a domain.
func (e *ListEntry) IsAddress() bool { return strings.Contains(e.Entry, "@") }

// Outlives tells whether an entry stands longer than another.
func (e *ListEntry) Outlives(other *ListEntry) bool {
	return !other.ExpiresAt.IsZero() && (e.ExpiresAt.IsZero() || e.ExpiresAt.After(other.ExpiresAt))
}

// ListKeys are the entries that an address can match, the closest first: itself, its domain, and the domains above.
func ListKeys(address string) []string {
	address = CanonicalAddress(address)
	keys := []string{address}
	_, domain, ok := SplitAddress(address)
	for ok && domain != "" {
		keys = append(keys, domain)
		_, domain, ok = strings.Cut(domain, ".")
	}
	return keys
}

// Verdict is what lists say of an address.
type Verdict struct {
	Blocked bool
	Entry   *ListEntry // that decided; nil: no entry, or that a list of those allowed does not have the address
	Scope   ScopeType  // whose list decided
}

// Judge finds what entries say of an address. They are those of one direction, of an inbox and of what it belongs to.
// The most specific scope that has a match decides; in one scope an address goes before a domain and block before
// allow. Without any match, the most specific scope that has an allow list blocks what is not on it. What the server itself
// has blocked is blocked whatever narrower lists allow: it protects the name of the whole installation.
func Judge(address string, entries []ListEntry) Verdict {
	keys := ListKeys(address)
	for i := range entries {
		if e := &entries[i]; e.ReadOnly && e.Type == ListBlock && slices.Contains(keys, e.Entry) {
			return Verdict{Blocked: true, Entry: e, Scope: e.Scope.Type()}
		}
	}
	scopes := []ScopeType{ScopeInbox, ScopePod, ScopeOrganization}
	for _, scope := range scopes {
		if e := match(keys, scope, entries); e != nil {
			return Verdict{Blocked: e.Type == ListBlock, Entry: e, Scope: scope}
		}
	}
	for _, scope := range scopes {
		for i := range entries {
			if e := &entries[i]; e.Type == ListAllow && e.Scope.Type() == scope {
				return Verdict{Blocked: true, Scope: scope}
			}
		}
	}
	return Verdict{}
}

// match finds the entry of a scope that has the closest of the keys.
func match(keys []string, scope ScopeType, entries []ListEntry) *ListEntry {
	var best *ListEntry
	rank := 2 // an address is 0, a domain 1
	for i := range entries {
		e := &entries[i]
		for k, key := range keys {
			r := min(k, 1)
			if e.Entry != key || e.Scope.Type() != scope || r > rank {
				continue
			}
			if r < rank || e.Type == ListBlock {
				best, rank = e, r
			}
		}
	}
	return best
}
