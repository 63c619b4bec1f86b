package receive

import (
	"io"
	"math"
	"runtime"
	"strconv"
	"sync"

	"podmail/smtp/wire"
)

// chunk is what BDAT brings (RFC 3030).
type chunk struct {
	left    int64 // bytes still to come
	last    bool
	pending bool  // a message in chunks has begun
	message int64 // bytes of its chunks, as far as announced
}

// judgeChunk wants to know how much follows, for it follows even if the command is refused.
func (g *guard) judgeChunk(argument string) *wire.Reply {
	size, last, err := wire.ParseChunk(argument)
	most := g.s.o.Server.MaxMessageSize()
	switch {
	case err != nil:
		return g.hangUp(501, "5.5.4", "Say BDAT size, or BDAT size LAST")
	case size > most && !g.hasRecipients():
		return g.hangUp(503, "5.5.1", "No recipient was accepted")
	case size > min(2*most, math.MaxUint32): // which is all that go-smtp reads
		return g.hangUp(552, "5.3.4", "The message is too large: at most "+strconv.FormatInt(most, 10)+" bytes")
	}
	if !g.chunk.pending {
		g.chunk.message = 0
		g.c.beginBody()
	}
	g.chunk.left, g.chunk.last = size, last
	g.chunk.message += size
	argument = strconv.FormatInt(size, 10)
	if last {
		argument += " LAST"
	}
	return g.pass("BDAT", argument)
}

// hasRecipients tells whether a message may come.
func (g *guard) hasRecipients() bool {
	return g.session != nil && g.session.mail != nil && len(g.session.mail.in.Recipients) > 0
}

// readChunk reads of a chunk. go-smtp has begun Data on another goroutine unless it has refused the command; what comes
// next may end the message, so Data must have its envelope by then.
func (g *guard) readChunk(p []byte) (int, error) {
	if g.hasRecipients() {
		g.session.mail.progress.awaitBegun()
	}
	n, err := g.r.Read(p[:min(int64(len(p)), g.chunk.left)])
	g.chunk.left -= int64(n)
	if err != nil {
		return n, g.cutOff(err)
	}
	return n, nil
}

// chunkAnswered follows a message through its chunks. go-smtp acknowledges a chunk when Data has read it; here that waits
// until Data has judged it, so that the refusal comes with the chunk that it is for.
func (g *guard) chunkAnswered(r *wire.Reply) *wire.Reply {
	g.idle = 0
	if r.Code == 250 && !g.chunk.last {
		refusal := g.session.mail.progress.settled(g.chunk.message)
		if refusal == nil {
			g.chunk.pending = true
			return r
		}
		g.feed, g.silent, r = []byte("RSET\r\n"), true, refusal // go-smtp does not know
	}
	if r.Code != 250 { // go-smtp has skipped what Data did not take
		g.session.noteBytes(g.chunk.message - g.session.mail.progress.taken())
	}
	g.endBody()
	return r
}

// endBody gives the peer the time of commands again.
func (g *guard) endBody() {
	g.chunk.pending = false
	g.c.endBody()
}

// progress is how far Data has come with a message. go-smtp runs it beside the commands if the message comes in chunks.
type progress struct {
	mu      sync.Mutex
	changed *sync.Cond
	begun   bool
	pipe    *io.PipeReader // out of which chunks come; nil: the message comes after DATA
	done    bool
	failed  bool  // it is about to refuse the message
	read    int64 // bytes that passed
	size    int64 // bytes that it took, refused ones too
	reply   *wire.Reply
}

func newProgress() *progress {
	p := &progress{}
	p.changed = sync.NewCond(&p.mu)
	return p
}

func (p *progress) begin(pipe *io.PipeReader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun, p.pipe = true, pipe
	p.changed.Broadcast()
}

func (p *progress) end(reply *wire.Reply, size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.reply, p.size = true, reply, size
	p.changed.Broadcast()
}

// taken is how many bytes Data took that has ended.
func (p *progress) taken() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}

// awaitBegun returns when Data runs.
func (p *progress) awaitBegun() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.begun {
		p.changed.Wait()
	}
}

// settled returns when Data has judged so many bytes, with its refusal if that is what came of it.
func (p *progress) settled(bytes int64) *wire.Reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.done && (!p.begun || p.failed || p.read < bytes) {
		p.changed.Wait()
	}
	return p.reply
}

// ended returns when Data does not run, or not any more, and go-smtp has taken notice: what it still does on that goroutine
// would else be done to the next message. The last of that is to close the pipe.
func (p *progress) ended() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.begun && !p.done {
		p.changed.Wait()
	}
	for p.pipe != nil {
		if _, err := p.pipe.Read(make([]byte, 1)); err == io.ErrClosedPipe {
			return
		}
		runtime.Gosched() // the other end is closed already, so that Read does not wait
	}
}

// followed is a body whose progress is told.
type followed struct {
	io.Reader
	p *progress
}

// Read implements io.Reader.
func (f followed) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	f.p.read += int64(n)
	f.p.failed = err != nil && err != io.EOF
	f.p.changed.Broadcast()
	return n, err
}
