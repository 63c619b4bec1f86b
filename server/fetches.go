package server

import (
	"cmp"
	"context"
	"io"
)

// Fetched is a file that was fetched from elsewhere for a message. It is read while the message is composed, and closed
// then.
type Fetched struct {
	Filename, ContentType string // as its origin says
	Size                  int64
	io.ReaderAt
	io.Closer
}

// fetch is a file of a draft that is not here yet.
type fetch struct {
	at   int // among the draft's attachments
	from func(context.Context) (*Fetched, error)
}

// fetch gets the files that are elsewhere, one after the other, and must be followed by a call of release. It comes last
// of what can refuse a message: nothing is fetched for one that is not sent.
func (o *outgoing) fetch(ctx context.Context) (release func(), err error) {
	var files []*Fetched
	release = func() {
		for _, f := range files {
			_ = f.Close() // it was only read
		}
	}
	for _, f := range o.fetches {
		file, err := f.from(ctx)
		if err != nil {
			release()
			return nil, coded(err, "Attachment")
		}
		files = append(files, file)
		a := &o.draft.Attachments[f.at]
		a.Filename, a.ContentType = cmp.Or(a.Filename, file.Filename), cmp.Or(a.ContentType, file.ContentType)
		a.Open = func() (io.Reader, error) { return io.NewSectionReader(file, 0, file.Size), nil }
	}
	return release, nil
}
