package verify

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/dkim"

	"podmail/mail"
)

const (
	pieces   = 32 << 10 // of a body that waits until the key is there
	maxBlank = 64 << 10 // bytes of empty lines, which go-msgauth holds and copies until something follows
)

// errInterrupted is how a message ends that was not handed in whole.
var errInterrupted = errors.New("the message was interrupted")

// trial is one signature before go-msgauth, which reads the message as it comes in: of the header what is signed, then
// the body. Each has its own: go-msgauth lets readers wait forever where several are interrupted.
type trial struct {
	s    *signature
	pipe *io.PipeWriter
	body *bufio.Writer // to pipe. Whoever has judged early reads no more, and that is all that can fail

	blank string // what empty lines are made of
	held  int    // bytes of blank at the end of what came; beyond maxBlank they are not handed on
	last  byte   // that was handed on
	lost  bool   // something followed
	err   error  // what go-msgauth says
}

// try begins to verify a signature.
func (c *Check) try(s *signature) *trial {
	r, w := io.Pipe()
	t := &trial{s: s, pipe: w, body: bufio.NewWriterSize(w, pieces), blank: "\r\n"}
	if s.relaxedBody {
		t.blank = " \t\r\n"
	}
	c.start(func(ctx context.Context) {
		defer r.Close()
		all, err := dkim.VerifyWithOptions(r, &dkim.VerifyOptions{MaxVerifications: 1, LookupTXT: func(string) ([]string, error) {
			if s.key, s.wrong = c.keys.find(ctx, s); s.wrong != nil {
				return nil, s.wrong
			}
			return []string{s.key.record}, nil
		}})
		if t.err = err; len(all) == 1 { // others may be there, and are not verified here
			t.err = all[0].Err
		}
	})
	for _, f := range append([]field{s.field}, s.selected(c.header)...) {
		t.body.Write(bytes.TrimRight(f.raw, "\r\n"))
		t.body.WriteString("\r\n")
	}
	t.body.WriteString("\r\n")
	return t
}

// selected are the fields that h= names, in their order: of fields of one name the last ones (RFC 6376 5.4.2).
func (s *signature) selected(h header) (found []field) {
	left := map[string]int{}
	for _, name := range s.signed {
		left[name]++
	}
	for _, f := range slices.Backward(h) {
		if left[f.name] > 0 {
			left[f.name]--
			found = append(found, f)
		}
	}
	slices.Reverse(found)
	return found
}

// write takes some of the body.
func (t *trial) write(p []byte) {
	for piece := range slices.Chunk(p, maxBlank) {
		t.put(piece)
	}
}

// put hands a piece on. Empty lines at the end of a body mean nothing (RFC 6376 3.4.3): what is too much of them is
// missed only if something follows.
func (t *trial) put(p []byte) {
	if len(bytes.TrimLeft(p, t.blank)) == 0 {
		if t.held += len(p); t.held > maxBlank {
			return
		}
	} else {
		t.lost = t.lost || t.held > maxBlank
		t.held = len(p) - len(bytes.TrimRight(p, t.blank))
	}
	if !t.lost {
		t.body.Write(p)
		t.last = p[len(p)-1]
	}
}

// finish ends the body.
func (t *trial) finish() {
	if t.held > maxBlank && t.last == '\r' {
		t.body.WriteString("\n")
	}
	t.body.Flush()
	t.pipe.Close()
}

// faults tells what go-msgauth means by what it says.
var faults = []struct {
	says  string
	fault *fault
}{
	{"incompatible signature version", permanent(mail.FaultVersion, "v= is no version that is known")},
	{"From field not signed", permanent(mail.FaultUnsigned, "From is not signed")},
	{"domain mismatch", permanent(mail.FaultDomain, "i= lies outside of d=")},
	{"inappropriate key algorithm", permanent(mail.FaultKeyType, "the key is of another algorithm than the signature")},
	{"body hash did not verify", failed(mail.FaultBodyHash, "the body is not what was signed")},
	{"signature did not verify", failed(mail.FaultSignature, "a signed field was changed, or another key signed")},
}

// judge notes what go-msgauth found, once it is done. A key that it was not given has its fault already.
func (t *trial) judge() {
	switch {
	case t.s.wrong != nil:
	case t.lost:
		t.s.wrong = &fault{mail.AuthPolicy, mail.FaultBodyHash, "the body has so many empty lines that it was not looked at"}
	case t.err != nil:
		t.s.wrong = faultOf(t.err)
	}
}

func faultOf(err error) *fault {
	text := strings.TrimPrefix(err.Error(), "dkim: ")
	for _, f := range faults {
		if strings.HasPrefix(text, f.says) {
			return f.fault
		}
	}
	switch {
	case dkim.IsPermFail(err):
		return permanent(mail.FaultSyntax, "%s", printable(text, 200))
	case dkim.IsTempFail(err):
		return &fault{mail.AuthTempError, mail.FaultLookup, printable(text, 200)}
	}
	return failed(mail.FaultSignature, "%s", printable(text, 200))
}
