package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"time"

	"podmail/mail"
	"podmail/mail/parse"
	"podmail/storage"
)

// content is the bytes of a message that is not stored yet. What fits one chunk is held in memory; more is staged in
// the pods that will need it, belongs to nothing until it is linked, and is swept if that never happens.
type content struct {
	hash   []byte
	size   int64
	inline []byte          // all of it, if staged is nil; returned to the server's buffers by discard
	buffer *bytes.Buffer   // that holds inline
	staged map[int64]int64 // pod to blob
	linked map[int64]bool  // pods whose staged blob was linked
	known  bool            // the pod where it was linked last had the bytes already
}

// stage reads r to its end. More than MaxMessageSize is too_large; an error of r is returned as it is.
func (s *Server) stage(ctx context.Context, pods []int64, r io.Reader) (*content, error) {
	buffer := s.buffers.Get().(*bytes.Buffer)
	first, err := readChunk(buffer, r)
	if err != nil && err != io.EOF {
		return nil, err
	}
	sum := sha256.New()
	sum.Write(first)
	c := &content{size: int64(len(first)), inline: first, buffer: buffer}
	if err == nil {
		c.inline, c.staged, c.linked = nil, map[int64]int64{}, map[int64]bool{}
		if err := s.stageChunks(ctx, c, pods, first, r, sum); err != nil {
			s.discard(c)
			return nil, err
		}
	}
	if c.size > s.maxMessageSize {
		s.discard(c)
		return nil, s.tooLarge()
	}
	c.hash = sum.Sum(nil)
	return c, nil
}

func (s *Server) tooLarge() error {
	return mail.Errorf(mail.CodeTooLarge, "The message is larger than %d bytes.", s.maxMessageSize).WithFix("Send a link instead of the attachment.")
}

// stageChunks writes first and the rest of r chunk by chunk, each in a transaction of its own.
func (s *Server) stageChunks(ctx context.Context, c *content, pods []int64, first []byte, r io.Reader, sum hash.Hash) error {
	now := s.clock.Now()
	chunk := first
	for seq := 0; len(chunk) > 0; seq++ {
		for _, pod := range pods {
			err := s.store.For(mail.Scope{Pod: pod}).Write(ctx, func(tx storage.Tx) (err error) {
				blob := c.staged[pod]
				if blob == 0 {
					if blob, err = tx.InsertStagedBlob(now); err != nil {
						return err
					}
				}
				c.staged[pod] = blob
				return tx.InsertChunk(blob, seq, chunk)
			})
			if err != nil {
				return coded(err, "Pod")
			}
		}
		var err error
		if chunk, err = readChunk(c.buffer, r); err != nil && err != io.EOF {
			return err
		}
		sum.Write(chunk)
		if c.size += int64(len(chunk)); c.size > s.maxMessageSize {
			return s.tooLarge()
		}
	}
	return nil
}

// readChunk reads one chunk into b, which it holds until the next; io.EOF comes with the last bytes when r ends within
// it.
func readChunk(b *bytes.Buffer, r io.Reader) ([]byte, error) {
	b.Reset()
	n, err := b.ReadFrom(io.LimitReader(r, storage.ChunkSize))
	if err == nil && n < storage.ChunkSize {
		err = io.EOF
	}
	return b.Bytes(), err
}

// maxPooled is the largest buffer that is kept for the next message: many idle sessions shall not hold whole chunks.
const maxPooled = 64 << 10

// discard gives up the content's memory and removes what was staged and not linked. What cannot be removed now is swept
// later.
func (s *Server) discard(c *content) {
	if c.buffer.Cap() <= maxPooled {
		s.buffers.Put(c.buffer)
	}
	c.inline = nil
	for pod, blob := range c.staged {
		if c.linked[pod] {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := s.store.For(mail.Scope{Pod: pod}).Write(ctx, func(tx storage.Tx) error { return tx.DeleteBlob(blob) })
		cancel()
		if err != nil {
			s.log.Warn("a staged message could not be removed; it will be swept", "error", err)
		}
	}
}

// link stores the content in the handle's pod, or finds it there, and returns its blob.
func (c *content) link(tx storage.Tx, now time.Time) (blob int64, err error) {
	if c.staged == nil {
		blob, err = tx.InsertBlob(c.hash, c.inline, now)
	} else {
		blob = c.staged[tx.Scope().Pod]
		err = tx.LinkBlob(blob, c.hash, c.size)
		c.linked[tx.Scope().Pod] = err == nil
	}
	if c.known = errors.Is(err, storage.ErrTaken); c.known {
		return tx.FindBlob(c.hash)
	}
	return blob, err
}

// parsed derives all that is stored beside the bytes, which trace precedes.
func (s *Server) parsed(ctx context.Context, c *content, trace []byte) (*mail.Parsed, error) {
	return parse.Message(io.MultiReader(bytes.NewReader(trace), s.open(ctx, c)))
}

// open reads the content from its start.
func (s *Server) open(ctx context.Context, c *content) io.Reader {
	if c.staged == nil {
		return bytes.NewReader(c.inline)
	}
	for pod, blob := range c.staged {
		r := s.store.For(mail.Scope{Pod: pod}).Reader(ctx, storage.RawMessage{Blob: blob, Size: c.size})
		return io.NewSectionReader(r, 0, c.size)
	}
	return bytes.NewReader(nil)
}
