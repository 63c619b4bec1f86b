package api_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"podmail/mail"
	"podmail/web"
)

// shelf is a server from which files can be fetched.
type shelf struct {
	*httptest.Server
	asked atomic.Int64
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		h := w.Header()
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/list.csv?signature=x", http.StatusFound)
		case "/list.csv":
			if r.Header.Get("Referer") != "" || r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
				http.Error(w, "too much told", http.StatusBadRequest)
				return
			}
			h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
			io.WriteString(w, "a,b\n")
		case "/named":
			h.Set("Content-Type", "application/octet-stream")
			h.Set("Content-Disposition", `attachment; filename="x.bin"; filename*=UTF-8''..%2F%C3%BCber%0D%0A.png`)
			io.WriteString(w, "png")
		case "/":
			h.Set("Content-Type", "nonsense")
			io.WriteString(w, "root")
		case "/around":
			http.Redirect(w, r, "/around", http.StatusFound)
		case "/elsewhere":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/large": // which the header says
			h.Set("Content-Length", "70000")
			w.Write(make([]byte, 70000))
		case "/endless": // which it does not
			for n := 0; n < 100 && r.Context().Err() == nil; n++ {
				w.Write(make([]byte, 1000))
				w.(http.Flusher).Flush()
			}
		case "/half":
			w.Write(make([]byte, 40000))
		case "/short":
			h.Set("Content-Length", "10")
			io.WriteString(w, "ten?")
		case "/silent":
			<-r.Context().Done()
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestAttachmentsByURL: files are fetched on every way to write a message, and called and typed as their origin says
// unless the caller says otherwise.
func TestAttachmentsByURL(t *testing.T) {
	dir := t.TempDir()
	d := open(t, web.Options{AllowPrivate: true, FetchDir: dir})
	n, files := d.tenantNamed(t, "alice"), newShelf(t)
	at := "/v0/inboxes/" + n.inbox.InboxID
	list := `[{"url":"` + files.URL + `/moved"},{"url":"` + files.URL + `/named"},{"url":"` + files.URL + `/"},{"url":"` + files.URL + `/list.csv?x=y","filename":"mine.txt","content_type":"text/plain"},{"filename":"own.txt","content":"b3du"}]`
	check := func(what string, got reply, carried int) {
		t.Helper()
		for i, want := range []string{"list.csv text/csv a,b\n", "über.png image/png png", "attachment application/octet-stream root", "mine.txt text/plain a,b\n", "own.txt application/octet-stream own"} {
			a := fmt.Sprintf("attachments.%d.", i)
			file := d.call(t, n.inboxKey, "GET", got.path(t)+"/attachments/"+got.get(t, a+"attachment_id"), "")
			link, err := url.Parse(file.get(t, "download_url"))
			if err != nil {
				t.Fatal(err)
			}
			content := d.call(t, "", "GET", link.EscapedPath(), "").body
			if have := got.get(t, a+"filename") + " " + got.get(t, a+"content_type") + " " + content; have != want {
				t.Errorf("%s: %q, not %q", what, have, want)
			}
		}
		if have := strings.Count(got.body, `"attachment_id"`); have != 5+carried {
			t.Errorf("%s has %d attachments", what, have)
		}
	}
	for _, way := range []struct {
		path, body string
		carried    int
	}{
		{"/messages/send", `{"to":"bob@elsewhere.test","text":"t","attachments":` + list + `}`, 0},
		{"/messages/" + n.ids["message_id"] + "/reply", `{"text":"t","attachments":` + list + `}`, 0},
		{"/messages/" + n.ids["message_id"] + "/reply-all", `{"text":"t","attachments":` + list + `}`, 0},
		{"/messages/" + n.ids["message_id"] + "/forward", `{"to":"bob@elsewhere.test","attachments":` + list + `}`, 1},
	} {
		sent := d.call(t, n.inboxKey, "POST", at+way.path, way.body)
		check(way.path, d.call(t, n.inboxKey, "GET", at+"/messages/"+url.PathEscape(sent.get(t, "message_id")), ""), way.carried)
	}
	made := d.call(t, n.inboxKey, "POST", at+"/drafts", `{"to":["bob@elsewhere.test"],"client_id":"d-1","attachments":`+list+`}`)
	check("a draft", made, 0)
	asked := files.asked.Load()
	check("the same draft", d.call(t, n.inboxKey, "POST", at+"/drafts", `{"to":["bob@elsewhere.test"],"client_id":"d-1","attachments":`+list+`}`), 0)
	if files.asked.Load() != asked {
		t.Error("a draft that is there fetches again")
	}
	bare := d.call(t, n.inboxKey, "POST", at+"/drafts", `{"to":["bob@elsewhere.test"]}`)
	path := at + "/drafts/" + bare.get(t, "draft_id")
	if r := d.call(t, n.inboxKey, "PATCH", path, `{"subject":"s","add_attachments":[{"url":"`+files.URL+`/gone"}]}`); r.status != 403 || !strings.Contains(r.body, "add_attachments.0: "+files.URL+"/gone") {
		t.Errorf("a file that is not there: %d %s", r.status, r.body)
	}
	check("a changed draft", d.call(t, n.inboxKey, "PATCH", path, `{"add_attachments":`+list+`}`), 0)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v %v", left, err)
	}
}

// path is where a message or a draft is found.
func (r reply) path(t *testing.T) string {
	at := "/v0/inboxes/" + r.get(t, "inbox_id")
	if strings.Contains(r.body, `"draft_id"`) {
		return at + "/drafts/" + r.get(t, "draft_id")
	}
	return at + "/messages/" + url.PathEscape(r.get(t, "message_id"))
}

// TestAttachmentsThatCannotBeFetched: the answer names the file and says why; nothing is sent.
func TestAttachmentsThatCannotBeFetched(t *testing.T) {
	d := openDoor(t, web.Limits{MaxFetched: 65536, FetchTime: 500 * time.Millisecond})
	n, files := d.tenantNamed(t, "alice"), newShelf(t)
	at := "/v0/inboxes/" + n.inbox.InboxID
	for from, why := range map[string]string{
		files.URL + "/gone?token=SECRET":                     "attachments.1: " + files.URL + "/gone answers with status 404.",
		files.URL + "/around":                                "could not be fetched",
		files.URL + "/elsewhere":                             "could not be fetched",
		files.URL + "/large":                                 "larger than allowed",
		files.URL + "/endless":                               "larger than allowed",
		files.URL + "/short":                                 "could not be fetched",
		files.URL + "/silent":                                "takes too long",
		"http://127.0.0.1:1/":                                "could not be fetched",
		"http://nothing.invalid/":                            "could not be fetched",
		files.URL + `/half"},{"url":"` + files.URL + "/half": "attachments.2: " + files.URL + "/half is larger than allowed",
	} {
		got := d.call(t, n.inboxKey, "POST", at+"/messages/send", `{"to":"bob@elsewhere.test","text":"t","attachments":[{"content":""},{"url":"`+from+`"}]}`)
		if got.status != 403 || got.get(t, "code") != "message_rejected" || !strings.Contains(got.get(t, "message"), why) || strings.Contains(got.body, "SECRET") {
			t.Errorf("%s: %d %s", from, got.status, got.body)
		}
		got.wellFormed(t)
	}
	for _, bad := range []string{`{"url":"ftp://x.test/"}`, `{"url":"//x.test/a"}`, `{"url":"http:///a"}`, `{"url":"http://u:p@x.test/"}`, `{"url":"%zz"}`, `{"url":""}`,
		`{"url":"http://x.test/` + strings.Repeat("x", 8192) + `"}`, `{"url":"http://x.test/","content":"aGk="}`, `{"url":7}`, `{}`} {
		got := d.call(t, n.inboxKey, "POST", at+"/messages/send", `{"to":"bob@elsewhere.test","text":"t","attachments":[`+bad+`]}`)
		if got.status != 400 || !strings.Contains(got.body, `"path":["attachments","0"`) {
			t.Errorf("%.60s: %d %s", bad, got.status, got.body)
		}
	}
	many := strings.Repeat(`{"url":"`+files.URL+`/list.csv"},`, 33)
	if got := d.call(t, n.inboxKey, "POST", at+"/messages/send", `{"to":"bob@elsewhere.test","attachments":[`+many[:len(many)-1]+`]}`); got.status != 400 {
		t.Errorf("33 files: %d %s", got.status, got.body)
	}
	if got := d.call(t, n.inboxKey, "GET", at+"/messages?labels=sent", ""); !strings.Contains(got.body, `"count":0`) {
		t.Error("sent:", got.body)
	}
}

// TestNothingIsFetchedInVain: a request that is refused, or was carried out already, asks nobody for files.
func TestNothingIsFetchedInVain(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n, files := d.tenantNamed(t, "alice"), newShelf(t)
	at := "/v0/inboxes/" + n.inbox.InboxID
	d.call(t, n.inboxKey, "POST", at+"/lists/send/block", `{"entry":"blocked.test"}`)
	with := `,"attachments":[{"url":"` + files.URL + `/list.csv"}]}`
	all, reader := n.inboxKey, n.key(t, "inbox", mail.Permissions{mail.MessageRead: true, mail.DraftRead: true})
	for _, c := range []struct {
		key, method, path, body string
		status                  int
	}{
		{reader, "POST", "/messages/send", `{"to":"a@elsewhere.test"`, 403},
		{reader, "POST", "/messages/" + n.ids["message_id"] + "/reply", `{"text":"t"`, 403},
		{reader, "POST", "/drafts", `{"text":"t"`, 403},
		{reader, "PATCH", "/drafts/" + n.ids["draft_id"], `{"text":"t","add_attachments":[{"url":"` + files.URL + `/"}]`, 403},
		{"", "POST", "/messages/send", `{"to":"a@elsewhere.test"`, 401},
		{all, "POST", "/messages/send", `{"text":"t"`, 422},
		{all, "POST", "/messages/send", `{"to":"no address"`, 400},
		{all, "POST", "/messages/send", `{"to":"a@blocked.test"`, 403},
		{all, "POST", "/messages/send", `{"to":"a@elsewhere.test","labels":["sent"]`, 400},
		{all, "POST", "/messages/send", `{"to":"a@elsewhere.test","headers":{"From":"x"}`, 400},
		{all, "POST", "/messages/send", `{"to":"a@elsewhere.test","track_opens":true,"html":"h"`, 422},
		{all, "POST", "/messages/nothing@example.org/reply", `{"text":"t"`, 404},
		{all, "POST", "/messages/nothing@example.org/forward", `{"to":"a@elsewhere.test"`, 404},
		{all, "POST", "/drafts", `{"send_at":"2001-01-01T00:00:00Z"`, 400},
		{all, "PATCH", "/drafts/nothing", `{"subject":"s"`, 404},
		{all, "PATCH", "/drafts/" + n.ids["draft_id"], `{"remove_attachments":["nothing"],"add_attachments":[{"url":"` + files.URL + `/"}]`, 400},
	} {
		if got := d.call(t, c.key, c.method, at+c.path, c.body+with); got.status != c.status {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, got.status, got.body)
		}
	}
	if n := files.asked.Load(); n != 0 {
		t.Errorf("asked for %d files", n)
	}
	for range 3 {
		r, err := http.NewRequest("POST", d.origin+at+"/messages/send", strings.NewReader(`{"to":"a@elsewhere.test"`+with))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+all)
		r.Header.Set("Idempotency-Key", "once")
		if got := d.do(t, r); got.status != 200 {
			t.Error(got)
		}
	}
	if n := files.asked.Load(); n != 1 {
		t.Errorf("three times the same request asked for %d files", n)
	}
}

// TestAttachmentsFromWithin: a URL is no way into the server's own network, by name, by number or by redirect.
func TestAttachmentsFromWithin(t *testing.T) {
	d := open(t, web.Options{})
	n, files := d.tenantNamed(t, "alice"), newShelf(t)
	port := files.URL[strings.LastIndexByte(files.URL, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "169.254.169.254", "2130706433", "127.1"} {
		got := d.call(t, n.inboxKey, "POST", "/v0/inboxes/"+n.inbox.InboxID+"/messages/send", `{"to":"bob@elsewhere.test","attachments":[{"url":"http://`+host+port+`/list.csv"}]}`)
		if got.status != 403 || got.get(t, "code") != "message_rejected" {
			t.Errorf("%s: %d %s", host, got.status, got.body)
		}
	}
	if n := files.asked.Load(); n != 0 {
		t.Errorf("asked %d times", n)
	}
}
