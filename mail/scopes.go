package mail

import "slices"

// Scope says whose rows a call may touch. It holds storage's surrogate keys; the zero Scope is the whole organization.
// It is an argument of every verb, never hidden in a context.
type Scope struct {
	Pod   int64 // 0: all pods
	Inbox int64 // 0: all inboxes of Pod; if set, Pod is set too
}

// ScopeType names the three kinds of scope (contract: types.md, ScopeType).
type ScopeType string

// The kinds of scope, widest first.
const (
	ScopeOrganization ScopeType = "organization"
	ScopePod          ScopeType = "pod"
	ScopeInbox        ScopeType = "inbox"
)

// Above tells whether scopes of the kind hold those of another.
func (t ScopeType) Above(other ScopeType) bool {
	widest := []ScopeType{ScopeOrganization, ScopePod, ScopeInbox}
	return slices.Index(widest, t) < slices.Index(widest, other)
}

// Type tells which kind of scope s is.
func (s Scope) Type() ScopeType {
	switch {
	case s.Inbox != 0:
		return ScopeInbox
	case s.Pod != 0:
		return ScopePod
	default:
		return ScopeOrganization
	}
}

// Covers tells whether everything in inner also lies in s.
func (s Scope) Covers(inner Scope) bool {
	return (s.Pod == 0 || s.Pod == inner.Pod) && (s.Inbox == 0 || s.Inbox == inner.Inbox)
}

// Grant is what an authenticated caller holds: a scope, narrowed further by the request's path, and permissions.
// The public ids are those of Scope and empty where the scope is wider.
type Grant struct {
	Scope       Scope
	PodID       string
	InboxID     string // the inbox's address
	APIKeyID    string // empty for the server's own doings
	Permissions Permissions
	KeyScope    Scope // as the key was made, before any narrowing
}

// Require returns nil if the grant's permissions include p, else the contract's Forbidden.
func (g Grant) Require(p Permission) error {
	if g.Permissions.Has(g.KeyScope.Type(), p) {
		return nil
	}
	return Errorf(CodeForbidden, "Forbidden").WithReason(ReasonMissingPermission).
		WithFix("Use an API key that has the permission %s at this scope.", p)
}
