package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/web/outbound"
)

const (
	maxFetches   = 32      // files that a request may name by URL
	maxURL       = 8 << 10 // bytes of one; those that are signed are long
	fetchesAtOne = 16      // for the whole server
	redirects    = 5
	maxFetchName = 255 // bytes of a file's name that its origin chose
)

// fetcher gets the files that requests name by URL.
type fetcher struct {
	client *http.Client
	max    int64         // bytes of a request's files together
	time   time.Duration // for all of them
	dir    string        // where they lie while a message is composed of them
	slots  chan struct{} // one for each that is on its way
}

func newFetcher(o Options) *fetcher {
	return &fetcher{client: outbound.NewClient(o.AllowPrivate, redirects), max: o.MaxFetched, time: o.FetchTime, dir: o.FetchDir, slots: make(chan struct{}, fetchesAtOne)}
}

// fetches are those of one request, which share its bounds.
type fetches struct {
	*fetcher
	n     int
	left  int64
	until time.Time // zero: none has begun
}

// newAttachments reads a field of SendAttachments, after which the body's fields must all have been read.
func (a *API) newAttachments(o *object, name string) (all []server.NewAttachment, err error) {
	fs := &fetches{fetcher: a.fetcher, left: a.fetcher.max}
	for i, file := range o.objects(name) {
		n := file.newAttachment()
		if from := file.optionalText("url"); from != nil {
			n.Fetch = fs.fetch(file, name+"."+strconv.Itoa(i), *from)
		}
		all = append(all, n)
	}
	if fs.n > maxFetches {
		o.fail("too_big", "", "has at most "+strconv.Itoa(maxFetches)+" files by url", name)
	}
	return all, o.err()
}

// fetch is how to get the file at a URL for a field of the request. It is told what is wrong with the URL itself.
func (fs *fetches) fetch(o *object, field, from string) func(context.Context) (*server.Fetched, error) {
	fs.n++
	u, err := url.Parse(from)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || len(from) > maxURL {
		o.fail("invalid_format", "url", "must be an http or https URL without user and password, of at most "+strconv.Itoa(maxURL)+" bytes", "url")
		return nil
	}
	return func(ctx context.Context) (*server.Fetched, error) {
		file, err := fs.get(ctx, u)
		if err == nil {
			return file, nil
		}
		if _, ours := errors.AsType[*os.PathError](err); ours || ctx.Err() != nil { // the disk failed, or the caller went away
			return nil, err
		}
		shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path} // the query may be a secret
		return nil, mail.Errorf(mail.CodeForbidden, "%s: %s %s.", field, &shown, fs.explain(err)).WithReason(mail.ReasonMessageRejected).
			WithFix("Nothing was sent. Make the file available at a public URL that needs no header, or send it as content.")
	}
}

// errStatus and errLarge are why an answer is no file.
type errStatus int

func (e errStatus) Error() string { return "status " + strconv.Itoa(int(e)) }

var errLarge = errors.New("too large")

// explain words why a file could not be fetched. How the network failed is nothing that callers need to know of the
// server's surroundings.
func (f *fetcher) explain(err error) string {
	if status, ok := errors.AsType[errStatus](err); ok {
		return "answers with " + status.Error()
	}
	switch {
	case errors.Is(err, outbound.ErrPrivate):
		return "leads to a private address"
	case errors.Is(err, errLarge):
		return "is larger than allowed: files by url have at most " + strconv.FormatInt(f.max, 10) + " bytes together"
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return "takes too long"
	}
	return "could not be fetched"
}

// get downloads a file to disk.
func (fs *fetches) get(ctx context.Context, u *url.URL) (*server.Fetched, error) {
	if fs.until.IsZero() {
		fs.until = time.Now().Add(fs.time)
	}
	ctx, cancel := context.WithDeadline(ctx, fs.until)
	defer cancel()
	select {
	case fs.slots <- struct{}{}:
		defer func() { <-fs.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "Podmail")
	r.Header.Set("Accept-Encoding", "identity") // the file as it is, and as large as it says
	r.Close = true
	resp, err := fs.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, errStatus(resp.StatusCode)
	case resp.ContentLength > fs.left:
		return nil, errLarge
	}
	file, size, err := fs.save(resp.Body)
	if err != nil {
		return nil, err
	}
	fs.left -= size
	name := fetchedName(resp)
	return &server.Fetched{Filename: name, ContentType: fetchedType(resp, name), Size: size, ReaderAt: file, Closer: file}, nil
}

// save writes a body to a file that has no name any more, so that nothing is left of it whatever happens.
func (fs *fetches) save(body io.Reader) (file *os.File, size int64, err error) {
	file, err = os.CreateTemp(fs.dir, "fetched-")
	if err != nil {
		return nil, 0, err
	}
	if err = os.Remove(file.Name()); err == nil {
		size, err = io.Copy(file, io.LimitReader(body, fs.left+1))
	}
	if err == nil && size > fs.left {
		err = errLarge
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, size, nil
}

// fetchedName is what a file is called: as the answer says (RFC 6266), or like the end of the URL that it came from.
func fetchedName(resp *http.Response) string {
	name := ""
	if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil {
		name = params["filename"]
	}
	name = path.Base(strings.ReplaceAll(cmp.Or(name, resp.Request.URL.Path), `\`, "/")) // RFC 6266 4.3: the last part only
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '/' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	if name == "" || name == "." || name == ".." {
		return "attachment"
	}
	if len(name) > maxFetchName {
		name = strings.ToValidUTF8(name[:maxFetchName], "")
	}
	return name
}

// fetchedType is a file's type: as the answer says, unless that says nothing and the name does.
func fetchedType(resp *http.Response, name string) string {
	declared := safeContentType(resp.Header.Get("Content-Type"))
	switch declared {
	case "application/octet-stream", "binary/octet-stream", "application/x-download", "application/force-download":
		return cmp.Or(mime.TypeByExtension(path.Ext(name)), "application/octet-stream")
	}
	return declared
}
