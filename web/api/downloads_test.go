package api

import (
	"mime"
	"strings"
	"testing"
)

func TestAttachmentDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"":             `attachment; filename="attachment"; filename*=UTF-8''attachment`,
		"a b.txt":      `attachment; filename="a b.txt"; filename*=UTF-8''a%20b.txt`,
		"rés.pdf":      `attachment; filename="r_s.pdf"; filename*=UTF-8''r%C3%A9s.pdf`,
		"a\"\r\nX: y":  `attachment; filename="a___X: y"; filename*=UTF-8''a%22%0D%0AX%3A%20y`,
		`..\..%2fpass`: `attachment; filename=".._.._2fpass"; filename*=UTF-8''..%5C..%252fpass`,
		"\xff":         `attachment; filename="_"; filename*=UTF-8''_`,
	} {
		got := attachmentDisposition(name)
		if got != want {
			t.Errorf("%q: %s", name, got)
		}
		if kind, _, err := mime.ParseMediaType(strings.Split(got, "; filename*")[0]); err != nil || kind != "attachment" {
			t.Error(got, err)
		}
	}
}

func TestSafeContentType(t *testing.T) {
	for declared, want := range map[string]string{
		"":                                 "application/octet-stream",
		"text/html":                        "text/html",
		"Text/Plain; charset=utf-8; x=y":   "text/plain; charset=utf-8",
		"text/plain\r\nX: y":               "application/octet-stream",
		"nonsense":                         "application/octet-stream",
		`text/plain; charset="a\"b\r\nc:"`: `text/plain; charset="a\"b\\r\\nc:"`,
	} {
		if got := safeContentType(declared); got != want {
			t.Errorf("%q: %q", declared, got)
		}
	}
}
