package imap

import (
	"slices"
	"strings"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"podmail/mail"
)

const delimiter = '/'

// List implements imapserver.Session, for LIST with its extensions and LSUB (RFC 9051 6.3.9, RFC 5819, RFC 6154; RFC
// 3501 6.3.9).
func (a *adapter) List(w *imapserver.ListWriter, ref string, patterns []string, options *goimap.ListOptions) error {
	if len(patterns) == 0 { // RFC 9051 6.3.9: an empty name asks for the delimiter
		return w.WriteList(&goimap.ListData{Delim: delimiter, Attrs: []goimap.MailboxAttr{goimap.MailboxAttrNoSelect}})
	}
	mailboxes, err := a.session.Mailboxes()
	if err != nil {
		return a.failed("LIST", err)
	}
	for i, p := range patterns {
		patterns[i] = ref + p
	}
	for _, data := range listed(mailboxes, patterns, options) {
		if options.ReturnStatus != nil && !slices.Contains(data.Attrs, goimap.MailboxAttrNonExistent) {
			mb, err := a.session.Status(data.Mailbox)
			if mail.CodeOf(err) == mail.CodeNotFound && err != nil {
				continue // deleted meanwhile
			} else if err != nil {
				return a.failed("LIST", err)
			}
			if data.Status, err = a.statusData(mb, options.ReturnStatus); err != nil {
				return a.failed("LIST", err)
			}
		}
		if err := w.WriteList(data); err != nil {
			return err
		}
	}
	return nil
}

// listed picks the mailboxes that a LIST shows, in order of name, INBOX first.
func listed(mailboxes []mail.Mailbox, patterns []string, options *goimap.ListOptions) []*goimap.ListData {
	byName := map[string]*mail.Mailbox{}
	parents := map[string]bool{} // names with something below them
	below := map[string]bool{}   // names with something subscribed below them
	for i := range mailboxes {
		mb := &mailboxes[i]
		byName[mb.Name] = mb
		for j, ch := range mb.Name {
			if ch == delimiter {
				parents[mb.Name[:j]] = true
				below[mb.Name[:j]] = below[mb.Name[:j]] || mb.Subscribed
			}
		}
	}
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	for name := range parents {
		if byName[name] == nil {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if (a == "INBOX") != (b == "INBOX") {
			return map[bool]int{true: -1, false: 1}[a == "INBOX"]
		}
		return strings.Compare(a, b)
	})
	var out []*goimap.ListData
	for _, name := range names {
		if !slices.ContainsFunc(patterns, func(p string) bool { return matches(name, p) }) {
			continue
		}
		if data := listData(name, byName[name], parents[name], below[name], patterns, options); data != nil {
			out = append(out, data)
		}
	}
	return out
}

// listData is the answer for one name, or nil if the selection options leave it out. mb is nil for a name that only
// has something below it.
func listData(name string, mb *mail.Mailbox, parent, subscribedBelow bool, patterns []string, o *goimap.ListOptions) *goimap.ListData {
	data := &goimap.ListData{Mailbox: name, Delim: delimiter}
	subscribed := mb != nil && mb.Subscribed
	if o.SelectSubscribed && !subscribed {
		// RFC 9051 6.3.9.2 RECURSIVEMATCH; for LSUB, RFC 3501 6.3.9: "foo" stands for "foo/bar" if that cannot match.
		lsub := !o.SelectRecursiveMatch && !o.ReturnSubscribed && !slices.ContainsFunc(patterns, func(p string) bool { return strings.Contains(p, "*") })
		if !subscribedBelow || !o.SelectRecursiveMatch && !lsub {
			return nil
		}
	}
	if o.SelectSpecialUse && (mb == nil || len(roleAttrs(mb.Role)) == 0) {
		return nil
	}
	switch {
	case mb == nil:
		data.Attrs = append(data.Attrs, goimap.MailboxAttrNonExistent, goimap.MailboxAttrNoSelect)
	case o.SelectSubscribed && !subscribed && !o.SelectRecursiveMatch:
		data.Attrs = append(data.Attrs, goimap.MailboxAttrNoSelect)
	}
	if parent {
		data.Attrs = append(data.Attrs, goimap.MailboxAttrHasChildren)
	} else {
		data.Attrs = append(data.Attrs, goimap.MailboxAttrHasNoChildren)
	}
	if subscribed && (o.SelectSubscribed || o.ReturnSubscribed) {
		data.Attrs = append(data.Attrs, goimap.MailboxAttrSubscribed)
	}
	if mb != nil {
		data.Attrs = append(data.Attrs, roleAttrs(mb.Role)...)
	}
	if o.SelectRecursiveMatch && subscribedBelow {
		data.ChildInfo = &goimap.ListDataChildInfo{Subscribed: true}
	}
	return data
}

// roleAttrs is a role's special-use attribute (RFC 6154 2).
func roleAttrs(role mail.Role) []goimap.MailboxAttr {
	switch role {
	case mail.RoleSent:
		return []goimap.MailboxAttr{goimap.MailboxAttrSent}
	case mail.RoleDrafts:
		return []goimap.MailboxAttr{goimap.MailboxAttrDrafts}
	case mail.RoleSpam:
		return []goimap.MailboxAttr{goimap.MailboxAttrJunk}
	case mail.RoleTrash:
		return []goimap.MailboxAttr{goimap.MailboxAttrTrash}
	case mail.RoleArchive:
		return []goimap.MailboxAttr{goimap.MailboxAttrArchive}
	}
	return nil
}

// matches tells whether a name fits a pattern: "*" is anything, "%" anything within a level (RFC 9051 6.3.9). INBOX is
// case-insensitive. It takes steps in proportion to both lengths, whatever the pattern.
func matches(name, pattern string) bool {
	if name == "INBOX" {
		pattern = strings.ToUpper(pattern)
	}
	// at[j]: the pattern so far fits name[:j].
	at := make([]bool, len(name)+1)
	at[0] = true
	for i := range len(pattern) {
		ch := pattern[i]
		if ch == '*' || ch == '%' {
			for j := 1; j <= len(name); j++ {
				at[j] = at[j] || at[j-1] && (ch == '*' || name[j-1] != delimiter)
			}
			continue
		}
		for j := len(name); j > 0; j-- {
			at[j] = at[j-1] && name[j-1] == ch
		}
		at[0] = false
	}
	return at[len(name)]
}
