package imap

import (
	"math"

	goimap "github.com/emersion/go-imap/v2"

	"podmail/mail"
)

// Status implements imapserver.Session (RFC 9051 6.3.11).
func (a *adapter) Status(name string, options *goimap.StatusOptions) (*goimap.StatusData, error) {
	mb, err := a.session.Status(name)
	if err != nil {
		return nil, a.failed("STATUS", err)
	}
	data, err := a.statusData(mb, options)
	return data, a.failed("STATUS", err)
}

// statusData answers all items; the library picks those that were asked for.
func (a *adapter) statusData(mb mail.Mailbox, options *goimap.StatusOptions) (*goimap.StatusData, error) {
	none, noStorage := uint32(0), int64(0)
	limit := a.AppendLimit()
	data := &goimap.StatusData{
		Mailbox:        mb.Name,
		UIDNext:        goimap.UID(mb.UIDNext),
		UIDValidity:    mb.UIDValidity,
		NumMessages:    count(mb.Messages),
		NumUnseen:      count(mb.Unseen),
		NumRecent:      &none, // \Recent is nobody's here
		NumDeleted:     &none,
		Size:           &mb.Size,
		AppendLimit:    &limit,
		DeletedStorage: &noStorage,
	}
	if options.NumDeleted {
		n, err := a.session.Deleted(mb)
		if err != nil {
			return nil, err
		}
		data.NumDeleted = &n
	}
	return data, nil
}

func count(n int64) *uint32 {
	v := uint32(min(n, math.MaxUint32))
	return &v
}
