package storage

import (
	"bytes"
	"context"
	"io"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

// ChunkSize is how many bytes of a message stand in one row, and the most that is held in memory of one.
const ChunkSize = 256 << 10

var (
	findBlobByHash = tables.Compile(`SELECT b.id FROM blobs b WHERE b.hash = ?1 AND {scope b}`)
	insertBlob     = tables.Compile(`INSERT INTO blobs (pod_id, hash, size, created_at, bytes) VALUES ({pod}, ?1, ?2, ?3, ?4)`)
	insertChunk    = tables.Compile(`INSERT INTO blob_chunks (pod_id, blob_id, seq, bytes) VALUES ({pod}, ?1, ?2, ?3)`)
	linkBlob       = tables.Compile(`UPDATE blobs SET hash = ?2, size = ?3 WHERE id = ?1 AND {scope blobs}`)
	findChunk      = tables.Compile(`SELECT coalesce(b.bytes, c.bytes) FROM blobs b LEFT JOIN blob_chunks c ON c.pod_id = b.pod_id AND c.blob_id = b.id AND c.seq = ?2 AND {scope c}
		WHERE b.id = ?1 AND {scope b}`)
	blobInUse = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM messages m INDEXED BY messages_by_blob WHERE m.blob_id = ?1 AND {scope m}
		UNION ALL SELECT 1 FROM deliveries d INDEXED BY deliveries_by_blob WHERE d.blob_id = ?1 AND {scope d} LIMIT 1)`)
	deleteChunks = tables.Compile(`DELETE FROM blob_chunks WHERE blob_id = ?1 AND seq >= ?2 AND {scope blob_chunks}`)
	deleteBlob   = tables.Compile(`DELETE FROM blobs WHERE id = ?1 AND {scope blobs}`)
)

// FindBlob finds the blob of the handle's pod that has this content. ErrNotFound if there is none.
func (tx Tx) FindBlob(hash []byte) (id int64, err error) {
	err = tx.one(findBlobByHash, []any{hash}, &id)
	return id, err
}

// InsertBlob stores content that fits one chunk. ErrTaken if the pod has it already.
func (tx Tx) InsertBlob(hash, content []byte, now time.Time) (id int64, err error) {
	id, err = tx.tx.Insert(insertBlob, hash, len(content), now, content)
	return id, translate(err)
}

// InsertStagedBlob begins a blob that comes in chunks. Until LinkBlob it belongs to nothing and is swept.
func (tx Tx) InsertStagedBlob(now time.Time) (int64, error) {
	return tx.tx.Insert(insertBlob, nil, 0, now, nil)
}

// InsertChunk adds a chunk to a staged blob. Every chunk but the last has ChunkSize bytes.
func (tx Tx) InsertChunk(blob int64, seq int, b []byte) error {
	_, err := tx.tx.Exec(insertChunk, blob, seq, b)
	return err
}

// LinkBlob turns a staged blob into one that holds this content.
func (tx Tx) LinkBlob(blob int64, hash []byte, size int64) error {
	_, err := tx.tx.Exec(linkBlob, blob, hash, size)
	return translate(err)
}

// DeleteBlob removes a blob and its chunks, unless a message or a delivery still needs it. A blob belongs to the pod: under an inbox's
// handle too, messages of the pod's other inboxes count.
func (tx Tx) DeleteBlob(blob int64) error {
	tx = Tx{tx.tx.Narrow(mail.Scope{Pod: tx.Scope().Pod})}
	var used int64
	if err := tx.one(blobInUse, []any{blob}, &used); err != nil || used > 0 {
		return err
	}
	if _, err := tx.tx.Exec(deleteChunks, blob, 0); err != nil {
		return err
	}
	_, err := tx.tx.Exec(deleteBlob, blob)
	return err
}

// FindChunk reads one chunk.
func (tx Tx) FindChunk(blob int64, seq int) (b []byte, err error) {
	err = tx.one(findChunk, []any{blob, seq}, &b)
	return b, err
}

// RawMessage is where a message's bytes are: the trace fields we put on top, then a blob.
type RawMessage struct {
	Trace []byte
	Blob  int64
	Size  int64  // of both
	First []byte // the blob's first chunk, if it was read along
}

// Reader returns a reader of the message's bytes. It takes one short read transaction for each chunk, so a slow peer
// holds no snapshot, and keeps one chunk.
func (h Handle) Reader(ctx context.Context, raw RawMessage) *RawReader {
	return &RawReader{ctx: ctx, h: h, raw: raw, seq: -1}
}

// RawReader implements io.ReaderAt over a message's bytes. It is for one goroutine.
type RawReader struct {
	ctx   context.Context
	h     Handle
	raw   RawMessage
	seq   int // of the chunk kept; -1: none
	chunk []byte
}

var _ io.ReaderAt = (*RawReader)(nil)

// Size is the message's size in bytes.
func (r *RawReader) Size() int64 { return r.raw.Size }

// ReadAt implements io.ReaderAt.
func (r *RawReader) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		part, err := r.at(off)
		if err != nil {
			return n, err
		}
		m := copy(p[n:], part)
		n, off = n+m, off+int64(m)
	}
	return n, nil
}

// at returns bytes from off on, at least one, or io.EOF.
func (r *RawReader) at(off int64) ([]byte, error) {
	if off >= r.raw.Size || off < 0 {
		return nil, io.EOF
	}
	if off < int64(len(r.raw.Trace)) {
		return r.raw.Trace[off:], nil
	}
	off -= int64(len(r.raw.Trace))
	seq := int(off / ChunkSize)
	if seq == 0 && r.raw.First != nil {
		return tail(r.raw.First, off)
	}
	if seq != r.seq {
		err := r.h.Read(r.ctx, func(tx Tx) (err error) {
			r.chunk, err = tx.FindChunk(r.raw.Blob, seq)
			return err
		})
		if err != nil {
			r.seq = -1
			return nil, err
		}
		r.seq = seq
	}
	return tail(r.chunk, off%ChunkSize)
}

func tail(b []byte, off int64) ([]byte, error) {
	if off >= int64(len(b)) {
		return nil, io.ErrUnexpectedEOF // the blob is shorter than its message says
	}
	return b[off:], nil
}

// Whole returns the message's bytes if they are in memory already, without a copy if there is no trace.
func (r *RawReader) Whole() ([]byte, bool) {
	if int64(len(r.raw.First)+len(r.raw.Trace)) != r.raw.Size {
		return nil, false
	}
	if len(r.raw.Trace) == 0 {
		return r.raw.First, true
	}
	return bytes.Join([][]byte{r.raw.Trace, r.raw.First}, nil), true
}

func scanID(r *sqlite.Row) (id int64, err error) {
	err = r.Scan(&id)
	return id, err
}
