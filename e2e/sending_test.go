package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOpensAndFiles: an inbox at a domain of its own sends a file that is fetched for it, and learns when the message is
// opened: when the picture in it is fetched from the domain's link host, as the recipient's mail program does.
func TestOpensAndFiles(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	podmail := start(t, names.setting(), `hostname = "mx.host.example"`)
	shelf := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/reports/march.pdf" {
			http.Redirect(w, r, "/reports/march.pdf?signature=1", http.StatusSeeOther)
			return
		}
		w.Header().Set("Content-Type", "application/pdf")
		io.WriteString(w, strings.Repeat("%PDF-1.7 ", 100_000)) // more than is held in memory
	}))
	defer shelf.Close()
	admin := podmail.sdk(podmail.Key)
	var acme Pod
	var ann, zoe Inbox
	admin.call("pods.create", &acme, arg{"name": "Acme"})
	admin.call("pods.domains.create", nil, acme.PodID, arg{"domain": "acme.example", "trackingEnabled": true})
	var zone string
	admin.call("pods.domains.getZoneFile", &zone, acme.PodID, "acme.example")
	names.publish(zone)
	admin.call("pods.domains.verify", nil, acme.PodID, "acme.example")
	admin.call("pods.inboxes.create", &ann, acme.PodID, arg{"username": "ann", "domain": "acme.example"})
	admin.call("inboxes.create", &zoe, arg{"username": "zoe"})

	var sent Sent
	offer := arg{"to": zoe.InboxID, "subject": "Our offer", "html": "<p>Dear Zoe</p>", "trackOpens": true,
		"attachments": []arg{{"url": shelf.URL + "/latest"}, {"filename": "note.txt", "content": "aGVsbG8="}}}
	admin.call("inboxes.messages.send", &sent, ann.InboxID, offer)
	admin.refused(422, "inboxes.messages.send", zoe.InboxID, arg{"to": ann.InboxID, "html": "x", "trackOpens": true})
	admin.refused(403, "inboxes.messages.send", ann.InboxID, arg{"to": zoe.InboxID, "attachments": []arg{{"url": "http://127.0.0.1:1/none"}}})

	received := admin.onlyThread(zoe.InboxID, 1).Messages[0]
	var files []string
	for _, a := range received.Attachments {
		files = append(files, fmt.Sprint(a.Filename, " ", a.ContentType, " ", a.Size))
	}
	if want := []string{"march.pdf application/pdf 900000", "note.txt application/octet-stream 5"}; !slices.Equal(files, want) {
		t.Errorf("the files: %q, not %q", files, want)
	}

	// imaplib reads the message; nobody has opened it by that.
	raw := strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(string(podmail.imaplib(zoe.InboxID, podmail.Key, "INBOX")[0].Raw))
	picture := regexp.MustCompile(`src="http://(link\.acme\.example)(?::\d+)?(/o/[\w-]+)"`).FindStringSubmatch(raw)
	if picture == nil {
		t.Fatalf("there is no picture in %.3000s", raw)
	}
	opened := func() bool {
		var m Message
		admin.call("inboxes.messages.get", &m, ann.InboxID, sent.MessageID)
		return slices.Contains(m.Labels, "opened")
	}
	if opened() {
		t.Error("opened by IMAP")
	}
	for range 2 {
		head := run(t, exec.Command("curl", "-sS", "-o", "/dev/null", "-D", "-", "-H", "Host: "+picture[1], podmail.direct+picture[2]))
		if !strings.Contains(head, "200 OK") || !strings.Contains(head, "image/gif") || !strings.Contains(head, "no-store") || strings.Contains(strings.ToLower(head), "set-cookie") {
			t.Errorf("the picture:\n%s", head)
		}
	}
	if !opened() {
		t.Error("not opened by the picture")
	}
}
