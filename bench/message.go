package main

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"
)

// sender is in a domain that exists nowhere (RFC 2606), so that no server can look it up for long.
const sender = "load@sender.test"

// messageSize is that of the budgets.
const messageSize = 10 << 10

// messages makes messages of messageSize: no two alike, and with words enough to give a search index real work. The
// bodies are made once; making a message is then one small header.
type messages struct {
	run    string
	bodies [][]byte
	next   atomic.Int64
}

const (
	bodyVariants = 64
	headerSpace  = 300 // about what header takes
)

func newMessages() *messages {
	r := rand.New(rand.NewPCG(1, 2)) // the same words in every run and on every side
	m := &messages{run: fmt.Sprintf("%x", time.Now().UnixNano())}
	words := vocabulary(r, 4000)
	for range bodyVariants {
		m.bodies = append(m.bodies, text(r, words, messageSize-headerSpace))
	}
	return m
}

// make returns a new message to an address. The body is shared and must not be written to.
func (m *messages) make(to string) (header, body []byte) {
	n := m.next.Add(1)
	header = fmt.Appendf(nil, "From: Load <%s>\r\nTo: <%s>\r\nSubject: Message %d of this run\r\nDate: %s\r\nMessage-ID: <%s.%d@sender.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
		sender, to, n, time.Now().UTC().Format(time.RFC1123Z), m.run, n)
	return header, m.bodies[n%bodyVariants]
}

func vocabulary(r *rand.Rand, n int) []string {
	words := make([]string, n)
	for i := range words {
		b := make([]byte, 2+r.IntN(9))
		for j := range b {
			b[j] = byte('a' + r.IntN(26))
		}
		words[i] = string(b)
	}
	return words
}

// text makes lines of words, size bytes together, CRLF at the end of each. Frequent words are frequent, as in language.
func text(r *rand.Rand, words []string, size int) []byte {
	var b strings.Builder
	line := 0
	for b.Len() < size-2 {
		w := words[int(float64(len(words))*r.Float64()*r.Float64()*r.Float64())]
		if line+len(w)+1 > 74 {
			b.WriteString("\r\n")
			line = 0
		}
		if left := size - 2 - b.Len(); len(w)+1 > left {
			w = strings.Repeat("x", left)
			b.WriteString(w)
			break
		}
		b.WriteString(w)
		b.WriteByte(' ')
		line += len(w) + 1
	}
	return []byte(b.String() + "\r\n")
}

// largeMessage writes a message of about size bytes to w without ever holding it, and returns what it wrote.
func largeMessage(w io.Writer, to string, size int64) (written int64, sum [sha256.Size]byte, err error) {
	digest := sha256.New()
	out := io.MultiWriter(w, digest)
	header := fmt.Sprintf("From: Load <%s>\r\nTo: <%s>\r\nSubject: A large message\r\nDate: %s\r\nMessage-ID: <large.%d@sender.test>\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		sender, to, time.Now().UTC().Format(time.RFC1123Z), time.Now().UnixNano())
	n, err := io.WriteString(out, header)
	written = int64(n)
	block := base64Block()
	for err == nil && written < size {
		n, err = out.Write(block)
		written += int64(n)
	}
	digest.Sum(sum[:0])
	return written, sum, err
}

// base64Block is some lines as a base64 encoder makes them.
func base64Block() []byte {
	r := rand.New(rand.NewPCG(3, 4))
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	var b []byte
	for range 400 {
		for range 76 {
			b = append(b, alphabet[r.IntN(len(alphabet))])
		}
		b = append(b, "\r\n"...)
	}
	return b
}

// tailHash hashes the last bytes of a stream of known length: a server may put trace fields on top of a message.
type tailHash struct {
	skip int64
	hash.Hash
}

func newTailHash(total, tail int64) *tailHash {
	return &tailHash{skip: total - tail, Hash: sha256.New()}
}

// Write implements io.Writer.
func (h *tailHash) Write(p []byte) (int, error) {
	n := len(p)
	if h.skip > 0 {
		cut := min(h.skip, int64(n))
		h.skip -= cut
		p = p[cut:]
	}
	_, err := h.Hash.Write(p)
	return n, err
}
