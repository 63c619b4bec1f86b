package api_test

import (
	"image/gif"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"podmail/server"
	"podmail/web"
)

// TestLinkHost: at link.<domain> there are pictures and nothing else, the same for every name; what is fetched there
// marks a message as opened, and nothing that is asked for elsewhere does.
func TestLinkHost(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n := d.tenantNamed(t, "alice")
	d.Verified(t, n.pod, server.NewDomain{Name: "acme.example", TrackingEnabled: true})
	inbox := d.call(t, n.podKey, "POST", "/v0/inboxes", `{"username":"ann","domain":"acme.example"}`).get(t, "inbox_id")
	at := "/v0/inboxes/" + inbox + "/messages/"
	sent := d.call(t, n.podKey, "POST", at+"send", `{"to":"bob@elsewhere.test","html":"<p>Hi</p>","track_opens":true}`)
	path := at + url.PathEscape(sent.get(t, "message_id"))
	link, err := url.Parse(d.call(t, n.podKey, "GET", path+"/raw", "").get(t, "download_url"))
	if err != nil {
		t.Fatal(err)
	}
	raw := strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(d.call(t, "", "GET", link.EscapedPath(), "").body)
	found := regexp.MustCompile(`http://link\.acme\.example:8080(/o/[\w-]+)"`).FindStringSubmatch(raw)
	if found == nil {
		t.Fatal("no picture:", raw)
	}
	ask := func(method, host, path string) reply {
		t.Helper()
		r, err := http.NewRequest(method, d.origin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.Header.Set("Authorization", "Bearer "+n.podKey)
		return d.do(t, r)
	}
	for _, c := range []struct{ method, host, path string }{
		{"POST", "link.acme.example", found[1]}, {"GET", "link.acme.example", "/v0/inboxes"}, {"GET", "link.acme.example", "/"}, {"GET", "link.acme.example", "/o"},
		{"GET", "", found[1]}, {"GET", "docs.test", found[1]}, {"GET", "link", found[1]},
	} {
		if got := ask(c.method, c.host, c.path); got.status != 404 {
			t.Errorf("%s %s%s: %d %s", c.method, c.host, c.path, got.status, got.body)
		}
	}
	if got := ask("HEAD", "link.acme.example", found[1]); got.status != 200 || got.body != "" || got.header.Get("Content-Length") != "43" {
		t.Errorf("HEAD: %+v", got)
	}
	if got := d.call(t, n.podKey, "GET", path, ""); strings.Contains(got.body, "opened") || strings.Contains(got.body, "/o/") || got.get(t, "html") != "<p>Hi</p>" {
		t.Fatal("not opened yet:", got.body)
	}
	pictures := map[string]bool{}
	for _, c := range []struct{ host, path string }{{"link.acme.example", "/o/nothing"}, {"link.other.example", "/o/"}, {"LINK.acme.example.:8080", found[1]}, {"link.acme.example", found[1]}} {
		got := ask("GET", c.host, c.path)
		got.header.Del("Date")
		got.header.Del("X-Request-Id")
		for name := range got.header {
			if name == "Set-Cookie" || name == "Etag" || name == "Last-Modified" {
				t.Errorf("%s%s: %s", c.host, c.path, name)
			}
		}
		if got.status != 200 || got.header.Get("Content-Type") != "image/gif" || !strings.Contains(got.header.Get("Cache-Control"), "no-store") || !isPicture(got.body) {
			t.Errorf("%s%s: %+v", c.host, c.path, got)
		}
		pictures[got.body] = true
	}
	if len(pictures) != 1 {
		t.Error("pictures differ")
	}
	if got := d.call(t, n.podKey, "GET", path, ""); !strings.Contains(got.body, `"labels":["opened","sent"]`) {
		t.Error("opened:", got.body)
	}
	if strings.Contains(d.log.String(), found[1]) {
		t.Error("the log has the picture's name")
	}
	if got := d.call(t, n.podKey, "POST", "/v0/inboxes/"+inbox+"/drafts", `{"html":"x","track_opens":true}`); got.status != 422 {
		t.Error("a draft:", got)
	}
}

func isPicture(body string) bool {
	picture, err := gif.Decode(strings.NewReader(body))
	if err != nil {
		return false
	}
	_, _, _, alpha := picture.At(0, 0).RGBA()
	return picture.Bounds().Dx() == 1 && picture.Bounds().Dy() == 1 && alpha == 0
}
