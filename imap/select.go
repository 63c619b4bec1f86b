package imap

import (
	goimap "github.com/emersion/go-imap/v2"
)

// Select implements imapserver.Session, for SELECT and EXAMINE (RFC 9051 6.3.2, 6.3.3).
func (a *adapter) Select(name string, options *goimap.SelectOptions) (*goimap.SelectData, error) {
	if a.replaying {
		a.replaying = false
		return &goimap.SelectData{}, nil // nothing of it is heard: see replay
	}
	opened, err := a.session.Select(name, options.ReadOnly)
	if err != nil {
		return nil, a.failed("SELECT", err)
	}
	data := &goimap.SelectData{
		Flags:          flagsOf(opened.Flags),
		PermanentFlags: []goimap.Flag{},
		NumMessages:    opened.Messages,
		UIDNext:        goimap.UID(opened.UIDNext),
		UIDValidity:    opened.UIDValidity,
	}
	if !options.ReadOnly {
		data.PermanentFlags = append(flagsOf(opened.PermanentFlags), goimap.FlagWildcard)
	}
	if a.enabledCaps().Has(goimap.CapIMAP4rev2) { // RFC 9051 6.3.2: a LIST response is required
		data.List = &goimap.ListData{Mailbox: opened.Mailbox.Name, Delim: delimiter, Attrs: roleAttrs(opened.Mailbox.Role)}
	}
	return data, nil
}

// Unselect implements imapserver.Session, for UNSELECT, CLOSE, and a SELECT after another.
func (a *adapter) Unselect() error {
	a.session.Unselect()
	return nil
}

// enabledCaps are the extensions that the client has switched on (RFC 9051 6.3.1).
func (a *adapter) enabledCaps() goimap.CapSet { return a.lib.EnabledCaps() }

// utf8ok tells whether the client takes UTF-8 in quoted strings (RFC 6855 3, RFC 9051 4.3).
func (a *adapter) utf8ok() bool {
	caps := a.enabledCaps()
	return caps.Has(goimap.CapIMAP4rev2) || caps.Has(goimap.CapUTF8Accept)
}

func flagsOf(flags []string) []goimap.Flag {
	out := make([]goimap.Flag, len(flags))
	for i, f := range flags {
		out[i] = goimap.Flag(f)
	}
	return out
}
