package api

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzFetched: whatever a server says of a file, and wherever it lies, it has a name that is one and a type that is one.
func FuzzFetched(f *testing.F) {
	for _, seed := range [][3]string{
		{`attachment; filename="a.pdf"`, "application/pdf", "/x"}, {`attachment; filename*=UTF-8''..%2f%00%ff.png`, "binary/octet-stream", "/"},
		{`inline; filename="\\host\share\a.txt"`, "text/plain; charset=\"", "/a/b/"}, {`;;filename=`, "", "//..//"}, {"", "a/b; c", "/%e4%2f..%00"}, {"attachment; filename=" + strings.Repeat("ü", 300), "*/*", "/ü"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, disposition, contentType, path string) {
		u, err := url.Parse("http://x.test" + path)
		if err != nil {
			t.Skip()
		}
		resp := &http.Response{Header: http.Header{"Content-Disposition": {disposition}, "Content-Type": {contentType}}, Request: &http.Request{URL: u}}
		name := fetchedName(resp)
		if name == "" || name == "." || name == ".." || len(name) > maxFetchName || !utf8.ValidString(name) || strings.ContainsAny(name, "/\\\x00\r\n") {
			t.Errorf("name %q", name)
		}
		if typ, _, err := mime.ParseMediaType(fetchedType(resp, name)); err != nil || !strings.Contains(typ, "/") {
			t.Errorf("type %q: %v", fetchedType(resp, name), err)
		}
	})
}
