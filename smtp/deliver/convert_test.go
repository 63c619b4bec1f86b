package deliver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"podmail/mail"
)

// FuzzConvert encodes any message: what comes out is in ASCII, or there is a clear failure.
func FuzzConvert(f *testing.F) {
	f.Add("Subject: x\r\n\r\n\xfc\r\n")
	f.Add("Content-Type: multipart/mixed; boundary=b\r\n\r\n\xfc\r\n--b\r\n\r\n\xfc\r\n--b\r\nContent-Type: image/png\r\n\r\n\x00\xff\r\n--b--\r\n\xfc")
	f.Add("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: y\r\n\r\n\xfc")
	f.Add("\xfc\r\n\r\n")
	f.Add("")
	encode := func(text string) (string, error) {
		p := newParcel(mail.Transfer{Message: strings.NewReader(text), Size: int64(len(text))})
		var b bytes.Buffer
		err := p.write(context.Background(), &b, sevenBit)
		return b.String(), err
	}
	f.Fuzz(func(t *testing.T, text string) {
		out, err := encode(text)
		if _, ok := errors.AsType[*failure](err); err != nil && !ok {
			t.Fatalf("%v", err)
		}
		if err != nil {
			return
		}
		if !isASCII(out) || strings.Contains(strings.ReplaceAll(out, "\r\n", ""), "\n") {
			t.Errorf("%q became %q", text, out)
		}
	})
}

// endless is a large message that is nowhere in memory.
type endless struct{ head, line string }

func (e endless) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(e.head)) {
		n = copy(p, e.head[off:])
	}
	for n < len(p) {
		n += copy(p[n:], e.line[(off+int64(n)-int64(len(e.head)))%int64(len(e.line)):])
	}
	return n, nil
}

// TestMemoryIsBounded: reading, signing and encoding 20 MB leaves next to nothing behind.
func TestMemoryIsBounded(t *testing.T) {
	const size = 20 << 20
	p := newParcel(mail.Transfer{Message: endless{"Subject: x\r\nContent-Type: text/plain\r\n\r\n", "Gr\xc3\xbc\xc3\x9fe, und noch viel mehr davon\r\n"}, Size: size})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if f := p.inspect(context.Background()); f != nil {
		t.Fatal(f)
	}
	for _, form := range []form{asItIs, sevenBit} {
		x, f := p.seal(context.Background(), form)
		if f != nil {
			t.Fatal(f)
		}
		if err := x.send(context.Background(), discard{io.Discard}); err != nil {
			t.Fatal(err)
		}
		if x.size < size-100 {
			t.Errorf("%d bytes", x.size)
		}
	}
	runtime.ReadMemStats(&after)
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 2<<20 {
		t.Errorf("%d bytes were allocated", spent)
	}
}

type discard struct{ io.Writer }

func (discard) Flush() error { return nil }
