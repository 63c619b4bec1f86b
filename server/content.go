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
	buffer *bytes.Buffer   // that holds inline; nil: nothing of the server's does
	staged map[int64]int64 // pod to blob
	linked map[int64]bool  // pods whose staged blob was linked, or was there before
	stored int64           // blob that has the bytes already, in the one pod that needs them; 0: none is known
	known  bool            // the pod where it was linked last had the bytes already
}

// stage reads r to its end. More than MaxMessageSize is too_large; an error of r is returned as it is.
func (s *Server) stage(ctx context.Context, pods []int64, r io.Reader) (*content, error) {
	w := s.newStaging(ctx, pods)
	_, err := w.ReadFrom(r)
	return w.end(err)
}

// staging turns bytes that come in into content.
type staging struct {
	ctx    context.Context
	server *Server
	pods   []int64
	c      *content
	sum    hash.Hash
	chunks int
	now    time.Time
}

func (s *Server) newStaging(ctx context.Context, pods []int64) *staging {
	buffer := s.buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	return &staging{ctx: ctx, server: s, pods: pods, c: &content{buffer: buffer}, sum: sha256.New(), now: s.clock.Now()}
}

// Write takes some bytes.
func (w *staging) Write(p []byte) (int, error) { return put(w, p) }

// WriteString takes some bytes, without a copy on the way.
func (w *staging) WriteString(s string) (int, error) { return put(w, s) }

func put[T []byte | string](w *staging, p T) (n int, err error) {
	for n < len(p) && err == nil {
		part := p[n:min(len(p), n+w.room())]
		w.c.buffer.Write(append(w.c.buffer.AvailableBuffer(), part...)) // a buffer takes everything
		n += len(part)
		err = w.flushFull()
	}
	return n, err
}

// ReadFrom reads r to its end.
func (w *staging) ReadFrom(r io.Reader) (n int64, err error) {
	for {
		room := int64(w.room())
		m, err := w.c.buffer.ReadFrom(io.LimitReader(r, room))
		n += m
		if err == nil && m == room {
			err = w.flushFull()
		}
		if err != nil || m < room {
			return n, err
		}
	}
}

// room is how much the chunk that is gathered still holds.
func (w *staging) room() int { return storage.ChunkSize - w.c.buffer.Len() }

func (w *staging) flushFull() error {
	if w.room() > 0 {
		return nil
	}
	return w.flush()
}

// flush writes down the chunk that was gathered, in a transaction of its own for each pod.
func (w *staging) flush() error {
	c, chunk := w.c, w.c.buffer.Bytes()
	if c.staged == nil {
		c.staged, c.linked = map[int64]int64{}, map[int64]bool{}
	}
	for _, pod := range w.pods {
		err := w.server.store.For(mail.Scope{Pod: pod}).Write(w.ctx, func(tx storage.Tx) (err error) {
			blob := c.staged[pod]
			if blob == 0 {
				if blob, err = tx.InsertStagedBlob(w.now); err != nil {
					return err
				}
			}
			c.staged[pod] = blob
			return tx.InsertChunk(blob, w.chunks, chunk)
		})
		if err != nil {
			return coded(err, "Pod")
		}
	}
	w.chunks++
	return w.count(chunk)
}

// count takes bytes into size and hash.
func (w *staging) count(b []byte) error {
	w.sum.Write(b)
	w.c.size += int64(len(b))
	w.c.buffer.Reset()
	if w.c.size > w.server.maxMessageSize {
		return w.server.tooLarge()
	}
	return nil
}

// end returns the content, unless something went wrong before or does now.
func (w *staging) end(err error) (*content, error) {
	c := w.c
	switch {
	case err != nil:
	case c.staged == nil:
		c.inline = c.buffer.Bytes()
		err = w.count(c.inline)
	case c.buffer.Len() > 0:
		err = w.flush()
	}
	if err != nil {
		w.server.discard(c)
		return nil, err
	}
	c.hash = w.sum.Sum(nil)
	return c, nil
}

func (s *Server) tooLarge() error {
	return mail.Errorf(mail.CodeTooLarge, "The message is larger than %d bytes.", s.maxMessageSize).WithFix("Send a link instead of the attachment.")
}

// storedContent is content that is a blob of the pod already.
func storedContent(pod int64, raw storage.RawMessage) *content {
	c := &content{size: raw.Size, inline: raw.First, stored: raw.Blob}
	if raw.First == nil {
		c.staged, c.linked = map[int64]int64{pod: raw.Blob}, map[int64]bool{pod: true}
	}
	return c
}

// maxPooled is the largest buffer that is kept for the next message: many idle sessions shall not hold whole chunks.
const maxPooled = 64 << 10

// discard gives up the content's memory and removes what was staged and not linked. What cannot be removed now is swept
// later.
func (s *Server) discard(c *content) {
	if c.buffer != nil && c.buffer.Cap() <= maxPooled {
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
	if c.stored != 0 {
		c.known = true
		return c.stored, nil
	}
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
