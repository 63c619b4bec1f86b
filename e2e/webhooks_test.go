package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	svix "github.com/svix/svix-webhooks/go"
)

// receiver is a customer's endpoint: it verifies what it is told with the library that its documentation names.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	secrets map[string]string // path to secret
	down    bool
	headers []string       // values of X-Team
	told    []string       // inbox and subject, in the order in which they came, each event once
	ids     map[string]int // how often each came
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, secrets: map[string]string{}, ids: map[string]int{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // cut off with the server that told
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		http.Error(w, "back soon", http.StatusServiceUnavailable)
		return
	}
	verifier, err := svix.NewWebhook(r.secrets[req.URL.Path])
	if err == nil {
		err = verifier.Verify(body, req.Header)
	}
	if err != nil {
		r.t.Errorf("%s: %v", req.URL.Path, err)
	}
	var event struct {
		EventID string `json:"event_id"`
		Message struct {
			InboxID string `json:"inbox_id"`
			Subject string
			Text    string
		}
		Thread struct {
			ThreadID string `json:"thread_id"`
		}
	}
	if err := json.Unmarshal(body, &event); err != nil || event.Message.Text == "" || event.Thread.ThreadID == "" {
		r.t.Errorf("%v: %s", err, body)
	}
	id := req.Header.Get("svix-id")
	if id != event.EventID {
		r.t.Errorf("svix-id %s of event %s", id, event.EventID)
	}
	if r.ids[req.URL.Path+id]++; r.ids[req.URL.Path+id] == 1 {
		r.told = append(r.told, req.URL.Path+" "+event.Message.InboxID+" "+event.Message.Subject)
	}
	r.headers = append(r.headers, req.Header.Get("X-Team"))
}

func (r *receiver) set(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// of lists the subjects that an endpoint was told of an inbox.
func (r *receiver) of(path, inbox string) (subjects []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.told {
		if subject, ok := strings.CutPrefix(line, path+" "+inbox+" "); ok {
			subjects = append(subjects, subject)
		}
	}
	return subjects
}

// register makes a webhook of a scope that calls path.
func (r *receiver) register(c *SDK, method, path string, args ...any) (id string) {
	var hook struct{ WebhookID, Secret string }
	c.call(method, &hook, append(args, arg{"url": r.URL + path, "eventTypes": []string{"message.received"}, "headers": arg{"X-Team": "birds"}})...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets[path] = hook.Secret
	return hook.WebhookID
}

// TestWebhooksLoseNothing: the endpoint is down for a while and the server is killed meanwhile; every event arrives, in
// the order of its inbox.
func TestWebhooksLoseNothing(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	admin := podmail.sdk(podmail.Key)
	var pod Pod
	var alice, bob Inbox
	admin.call("pods.create", &pod, arg{"name": "Acme"})
	admin.call("pods.inboxes.create", &alice, pod.PodID, arg{"username": "alice"})
	admin.call("pods.inboxes.create", &bob, pod.PodID, arg{"username": "bob"})
	r := newReceiver(t)
	r.register(admin, "webhooks.create", "/all")
	podHook := r.register(admin, "pods.webhooks.create", "/pod", pod.PodID)
	r.register(admin, "inboxes.webhooks.create", "/alice", alice.InboxID)

	subjects := func(from, to int) (list []string) {
		for i := from; i < to; i++ {
			list = append(list, fmt.Sprint("mail ", i))
		}
		return list
	}
	send := func(list []string) {
		t.Helper()
		for _, s := range list {
			for _, inbox := range []Inbox{alice, bob} {
				podmail.swaks(podmail.SMTP, "--from", "x@example.org", "--to", inbox.InboxID, "--h-Subject", s, "--body", "Hello.")
			}
		}
	}
	arrived := func(n int) {
		t.Helper()
		for path, inboxes := range map[string][]Inbox{"/all": {alice, bob}, "/pod": {alice, bob}, "/alice": {alice}} {
			for _, inbox := range inboxes {
				eventually(t, path+" is told everything of "+inbox.InboxID, func() error {
					if got := r.of(path, inbox.InboxID); !slices.Equal(got, subjects(0, n)) {
						return fmt.Errorf("got %q", got)
					}
					return nil
				})
			}
		}
	}
	send(subjects(0, 2))
	arrived(2)

	r.set(true)
	send(subjects(2, 5))
	if err := podmail.end(os.Kill); err == nil {
		t.Fatal("the server ended well after SIGKILL")
	}
	podmail.serve()
	send(subjects(5, 7))
	r.set(false)
	// What was tried while the endpoint was down would be tried again after minutes: ask for it now.
	admin = podmail.sdk(podmail.Key)
	var hooks struct{ Webhooks []struct{ WebhookID string } }
	admin.call("webhooks.list", &hooks)
	eventually(t, "what waits is replayed", func() error {
		for _, h := range hooks.Webhooks {
			podmail.replayWaiting(h.WebhookID)
		}
		if n := len(r.of("/all", alice.InboxID)) + len(r.of("/all", bob.InboxID)) + len(r.of("/pod", alice.InboxID)) + len(r.of("/pod", bob.InboxID)) + len(r.of("/alice", alice.InboxID)); n < 7*5 {
			return fmt.Errorf("%d of %d", n, 7*5)
		}
		return nil
	})
	arrived(7)
	r.mu.Lock()
	if slices.Contains(r.headers, "") {
		t.Errorf("custom headers: %q", r.headers)
	}
	r.mu.Unlock()

	// The attempts are listed, and what was told can be told again.
	var listed struct {
		Deliveries []struct {
			DeliveryID   string `json:"delivery_id"`
			State        string
			ResponseCode int `json:"response_code"`
		}
	}
	podmail.read("/v0/webhooks/"+podHook+"/deliveries?state=delivered", &listed)
	if len(listed.Deliveries) != 14 || listed.Deliveries[0].ResponseCode != 200 {
		t.Errorf("%+v", listed)
	}
}

// replayWaiting has a webhook told now what it would be told later.
func (p *Podmail) replayWaiting(webhook string) {
	p.t.Helper()
	var waiting struct {
		Deliveries []struct {
			DeliveryID string `json:"delivery_id"`
		}
	}
	p.read("/v0/webhooks/"+webhook+"/deliveries?state=queued&ascending=true", &waiting)
	for _, d := range waiting.Deliveries {
		p.ask("POST", "/v0/webhooks/"+webhook+"/deliveries/"+d.DeliveryID+"/replay", nil)
	}
}

func (p *Podmail) read(path string, into any) { p.t.Helper(); p.ask("GET", path, into) }

// ask sends a request of the first key, that must succeed, for what the client has no method for.
func (p *Podmail) ask(method, path string, into any) {
	p.t.Helper()
	r, err := http.NewRequest(method, p.API+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.Key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && into != nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s %s: %d %v %s", method, path, resp.StatusCode, err, body)
	}
}

// TestWebhooksStayOutOfThePrivateNetwork: where the API is for others, endpoints cannot be on this machine, by whatever
// name.
func TestWebhooksStayOutOfThePrivateNetwork(t *testing.T) {
	t.Parallel()
	podmail := start(t, "webhooks.allow_private = false")
	admin := podmail.sdk(podmail.Key)
	var inbox Inbox
	admin.call("inboxes.create", &inbox, arg{"username": "alice"})
	hit := make(chan string, 10)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hit <- r.URL.Path }))
	defer s.Close()
	urls := []string{s.URL + "/address", strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/name", strings.Replace(s.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1) + "/mapped"}
	for _, url := range urls {
		admin.call("webhooks.create", nil, arg{"url": url, "eventTypes": []string{"message.received"}})
	}
	podmail.swaks(podmail.SMTP, "--from", "x@example.org", "--to", inbox.InboxID, "--h-Subject", "Hi", "--body", "Hello.")
	var hooks struct {
		Webhooks []struct{ WebhookID, URL string }
	}
	admin.call("webhooks.list", &hooks)
	for _, h := range hooks.Webhooks {
		eventually(t, h.URL+" is refused", func() error {
			var list struct {
				Deliveries []struct {
					DeliveryID string `json:"delivery_id"`
				}
			}
			podmail.read("/v0/webhooks/"+h.WebhookID+"/deliveries", &list)
			if len(list.Deliveries) == 0 {
				return fmt.Errorf("nothing was to be told")
			}
			var one struct{ Attempts []struct{ Error string } }
			podmail.read("/v0/webhooks/"+h.WebhookID+"/deliveries/"+list.Deliveries[0].DeliveryID, &one)
			if len(one.Attempts) == 0 || !strings.Contains(one.Attempts[0].Error, "private") {
				return fmt.Errorf("%+v", one)
			}
			return nil
		})
	}
	select {
	case path := <-hit:
		t.Errorf("%s was asked", path)
	default:
	}
}
