package server

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"
)

// eventIDs turns events' sequence numbers, and the like, into public ids and back. An id is the number enciphered, so that it
// need not be stored, is the same wherever the event is told, and tells nobody how much happens in other pods.
type eventIDs struct{ cipher.Block }

func newEventIDs(secret []byte, purpose string) (eventIDs, error) {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(purpose))
	b, err := aes.NewCipher(mac.Sum(nil))
	return eventIDs{b}, err
}

// of is the id of a sequence number. It is enciphered again until the outcome looks like a UUID of version 8 (RFC 9562
// 5.8), as it did itself, which keeps that reversible.
func (c eventIDs) of(seq int64) string {
	id := plainEventID(seq)
	for {
		if c.Encrypt(id[:], id[:]); isEventID(id) {
			return id.String()
		}
	}
}

// parse is the sequence number of an id; false if of never made it.
func (c eventIDs) parse(text string) (seq int64, ok bool) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(uuid.UUID{}.String()) || !isEventID(id) {
		return 0, false
	}
	for {
		if c.Decrypt(id[:], id[:]); isEventID(id) {
			break
		}
	}
	seq = int64(binary.BigEndian.Uint64(id[8:]) & (1<<56 - 1))
	return seq, id == plainEventID(seq)
}

// plainEventID has the number in its last seven bytes, and zeros before.
func plainEventID(seq int64) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[8:], uint64(seq))
	id[6], id[8] = 0x80, 0x80
	return id
}

func isEventID(id uuid.UUID) bool { return id[6]&0xf0 == 0x80 && id[8]&0xc0 == 0x80 }
