// Package unpack opens what reports are sent in, gzip or zip, within bounds: a few bytes that unpack to gigabytes are an
// error, not a full memory.
package unpack

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// Bounds on a report.
const (
	MaxPacked   = 8 << 20  // bytes that are read of a packed one
	MaxUnpacked = 16 << 20 // bytes that come out of it
	maxFiles    = 20       // in an archive
)

// ErrTooLarge says that a report is beyond the bounds.
var ErrTooLarge = errors.New("the report is too large")

// Open returns what is in r: the content of a gzip stream or of the first file of an archive, else r itself. Reading
// beyond the bounds is ErrTooLarge.
func Open(r io.Reader) (io.Reader, error) {
	packed := bufio.NewReader(&bounded{r: r, left: MaxPacked})
	magic, err := packed.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case isGzip(magic):
		z, err := gzip.NewReader(packed)
		if err != nil {
			return nil, fmt.Errorf("open gzip: %w", err)
		}
		return &bounded{r: z, left: MaxUnpacked}, nil
	case isZip(magic):
		return openZip(packed)
	}
	return packed, nil
}

// isGzip and isZip tell it by the first four bytes.
func isGzip(magic []byte) bool { return bytes.HasPrefix(magic, []byte{0x1f, 0x8b}) }
func isZip(magic []byte) bool  { return string(magic) == "PK\x03\x04" }

// openZip reads an archive, whose directory stands at its end.
func openZip(r io.Reader) (io.Reader, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("open zip: %w", err)
	}
	if len(z.File) > maxFiles {
		return nil, fmt.Errorf("%w: an archive of %d files", ErrTooLarge, len(z.File))
	}
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		content, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("open a file of the zip: %w", err)
		}
		return &bounded{r: content, left: MaxUnpacked}, nil
	}
	return nil, errors.New("the archive is empty")
}

// bounded reads at most so many bytes; more is an error, unlike with io.LimitReader.
type bounded struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n + int(b.left), ErrTooLarge
	}
	return n, err
}
