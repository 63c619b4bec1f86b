package api

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// downloadsPath is where the links lead that server makes.
const downloadsPath = "/downloads/"

// download serves what a download_url names, with ranges. The token in the path is all the authority that is needed.
// What is served was written by strangers: it is a file to save, and nothing in it may run in our origin.
func (a *API) download(c echo.Context) error {
	token, err := url.PathUnescape(c.Param("token"))
	if err != nil {
		return mail.NotFound("Download")
	}
	f, err := a.server.OpenDownload(c.Request().Context(), token)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, safeContentType(f.ContentType))
	h.Set(echo.HeaderContentDisposition, attachmentDisposition(f.Name))
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	h.Set(echo.HeaderContentSecurityPolicy, "sandbox; default-src 'none'")
	h.Set(echo.HeaderCacheControl, "private, no-store")
	r := c.Request()
	if strings.Contains(r.Header.Get("Range"), ",") {
		r.Header.Del("Range") // many small ranges cost many reads from the start; a server may ignore them (RFC 9110 14.2)
	}
	http.ServeContent(c.Response(), r, "", f.Modified, f)
	return nil
}

// LogPath is a request's path as it may stand in the log: a download's token is as good as a key while it lives, and a
// picture's says for its reader that they looked.
func LogPath(r *http.Request) string {
	for _, secret := range []string{downloadsPath, server.OpensPath} {
		if strings.HasPrefix(r.URL.Path, secret) {
			return secret
		}
	}
	return r.URL.Path
}

// safeContentType is the declared type if it is one, without parameters beyond the charset.
func safeContentType(declared string) string {
	t, params, err := mime.ParseMediaType(declared)
	if err != nil || !strings.Contains(t, "/") {
		return "application/octet-stream"
	}
	if charset := params["charset"]; charset != "" {
		if with := mime.FormatMediaType(t, map[string]string{"charset": charset}); with != "" {
			return with
		}
	}
	return t
}

// attachmentDisposition is a Content-Disposition that saves under a name: in ASCII for old clients and in UTF-8
// (RFC 6266 4.3, appendix D).
func attachmentDisposition(name string) string {
	name = strings.ToValidUTF8(name, "_")
	if name == "" {
		name = "attachment"
	}
	var ascii, extended strings.Builder
	for _, r := range name {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\/%`, r) {
			r = '_'
		}
		ascii.WriteRune(r)
	}
	for i := range len(name) {
		if c := name[i]; attrChar(c) {
			extended.WriteByte(c)
		} else {
			extended.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
		}
	}
	return `attachment; filename="` + ascii.String() + `"; filename*=UTF-8''` + extended.String()
}

// attrChar tells what an extended parameter may hold as it is (RFC 8187 3.2.1).
func attrChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}
