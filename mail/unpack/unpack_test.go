package unpack

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"runtime"
	"testing"
)

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func gzipped(t *testing.T, r io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t *testing.T, names []string, r io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if name[len(name)-1] == '/' {
			continue
		}
		if _, err := io.Copy(f, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpen(t *testing.T) {
	text := []byte("<feedback/>")
	for name, packed := range map[string][]byte{"plain": text, "gzip": gzipped(t, bytes.NewReader(text)), "zip": zipped(t, []string{"a/", "a/b.xml"}, bytes.NewReader(text))} {
		r, err := Open(bytes.NewReader(packed))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	if r, err := Open(bytes.NewReader(nil)); err != nil {
		t.Error(err)
	} else if b, err := io.ReadAll(r); err != nil || len(b) != 0 {
		t.Errorf("empty: %q %v", b, err)
	}
}

func TestBombsAreBounded(t *testing.T) {
	bomb := func() io.Reader { return io.LimitReader(zeros{}, 4*MaxUnpacked) }
	for name, packed := range map[string][]byte{"gzip": gzipped(t, bomb()), "zip": zipped(t, []string{"a"}, bomb())} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Open(bytes.NewReader(packed))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n, err := io.Copy(io.Discard, r)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrTooLarge) || n != MaxUnpacked {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
			t.Errorf("%s: %d bytes of memory", name, grown)
		}
	}
	r, err := Open(zeros{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, ErrTooLarge) || n != MaxPacked {
		t.Errorf("plain: %d bytes, %v", n, err)
	}
	if _, err := Open(bytes.NewReader(zipped(t, letters(maxFiles+1), bytes.NewReader(nil)))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("many files: %v", err)
	}
}

func letters(n int) (names []string) {
	for i := range n {
		names = append(names, string(rune('a'+i)))
	}
	return names
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("<feedback/>"))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		r, err := Open(bytes.NewReader(packed))
		if err != nil {
			return
		}
		if n, err := io.Copy(io.Discard, r); err == nil && n > MaxUnpacked {
			t.Errorf("%d bytes", n)
		}
	})
}
