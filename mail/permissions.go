package mail

import "slices"

// Permission is one verb on one kind of thing (contract: types.md, ApiKeyPermissions).
type Permission string

// Every permission there is.
const (
	InboxRead                Permission = "inbox_read"
	InboxCreate              Permission = "inbox_create"
	InboxUpdate              Permission = "inbox_update"
	InboxDelete              Permission = "inbox_delete"
	MessageRead              Permission = "message_read"
	MessageSend              Permission = "message_send"
	MessageUpdate            Permission = "message_update"
	MessageDelete            Permission = "message_delete"
	LabelSpamRead            Permission = "label_spam_read"
	LabelBlockedRead         Permission = "label_blocked_read"
	LabelUnauthenticatedRead Permission = "label_unauthenticated_read"
	LabelTrashRead           Permission = "label_trash_read"
	DraftRead                Permission = "draft_read"
	DraftCreate              Permission = "draft_create"
	DraftUpdate              Permission = "draft_update"
	DraftDelete              Permission = "draft_delete"
	DraftSend                Permission = "draft_send"
	WebhookRead              Permission = "webhook_read"
	WebhookCreate            Permission = "webhook_create"
	WebhookUpdate            Permission = "webhook_update"
	WebhookDelete            Permission = "webhook_delete"
	DomainRead               Permission = "domain_read"
	DomainCreate             Permission = "domain_create"
	DomainUpdate             Permission = "domain_update"
	DomainDelete             Permission = "domain_delete"
	ListEntryRead            Permission = "list_entry_read"
	ListEntryCreate          Permission = "list_entry_create"
	ListEntryDelete          Permission = "list_entry_delete"
	MetricsRead              Permission = "metrics_read"
	APIKeyRead               Permission = "api_key_read"
	APIKeyCreate             Permission = "api_key_create"
	APIKeyUpdate             Permission = "api_key_update"
	APIKeyDelete             Permission = "api_key_delete"
	ProviderConnect          Permission = "provider_connect"
	ProviderShareOwner       Permission = "provider_share_owner"
	PodRead                  Permission = "pod_read"
	PodCreate                Permission = "pod_create"
	PodDelete                Permission = "pod_delete"
)

// AllPermissions lists every permission, in the contract's order.
func AllPermissions() []Permission {
	return []Permission{
		InboxRead, InboxCreate, InboxUpdate, InboxDelete, MessageRead, MessageSend, MessageUpdate, MessageDelete,
		LabelSpamRead, LabelBlockedRead, LabelUnauthenticatedRead, LabelTrashRead,
		DraftRead, DraftCreate, DraftUpdate, DraftDelete, DraftSend,
		WebhookRead, WebhookCreate, WebhookUpdate, WebhookDelete,
		DomainRead, DomainCreate, DomainUpdate, DomainDelete, ListEntryRead, ListEntryCreate, ListEntryDelete,
		MetricsRead, APIKeyRead, APIKeyCreate, APIKeyUpdate, APIKeyDelete,
		ProviderConnect, ProviderShareOwner, PodRead, PodCreate, PodDelete,
	}
}

// Permissions restricts a key. Nil means everything in scope; otherwise only what is true.
type Permissions map[Permission]bool

// Has tells whether a key of the given scope holds p: scope ∩ permissions.
func (ps Permissions) Has(scope ScopeType, p Permission) bool {
	return scopeAllows(scope, p) && (ps == nil || ps[p])
}

// All is every permission, with whether a key of the given scope holds it.
func (ps Permissions) All(scope ScopeType) Permissions {
	all := make(Permissions, len(ps))
	for _, p := range AllPermissions() {
		all[p] = ps.Has(scope, p)
	}
	return all
}

// Restricted tells whether the key may do less than its scope allows.
func (ps Permissions) Restricted() bool { return ps != nil }

// scopeAllows tells what a scope can never hold: an inbox key has no business with other inboxes, domains or pods,
// and a pod key none with the set of pods.
func scopeAllows(scope ScopeType, p Permission) bool {
	switch scope {
	case ScopeInbox:
		return !slices.Contains([]Permission{InboxCreate, DomainRead, DomainCreate, DomainUpdate, DomainDelete, PodRead, PodCreate, PodDelete}, p)
	case ScopePod:
		return p != PodCreate && p != PodDelete
	default:
		return true
	}
}
