package server_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// endpoints stands for the servers behind URLs. It notes what they are told, as "subject" by inbox.
type endpoints struct {
	stuck  chan bool // if it is not nil, nobody answers before it is closed
	mu     sync.Mutex
	down   map[string]bool
	told   []string // url, inbox, subject
	failed int
}

func (e *endpoints) Post(_ context.Context, w *mail.Webhook, ev *server.Event) mail.WebhookAnswer {
	if e.stuck != nil {
		<-e.stuck
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down[w.URL] {
		e.failed++
		return mail.WebhookAnswer{Status: 503, Answer: "not now", Took: time.Millisecond}
	}
	e.told = append(e.told, strings.Join([]string{w.URL, ev.Message.InboxID, ev.Message.Envelope.Subject}, " "))
	return mail.WebhookAnswer{Status: 204, Took: time.Millisecond}
}

func (e *endpoints) set(url string, down bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down[url] = down
}

func (e *endpoints) seen() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.told)
}

func (e *endpoints) failures() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failed
}

type hooked struct {
	*servertest.World
	*endpoints
	pod, alice, bob mail.Grant
}

func newHooked(t *testing.T) *hooked {
	t.Helper()
	e := &endpoints{down: map[string]bool{}}
	w := servertest.New(t, func(o *server.Options) { o.Poster = e })
	pod := w.Pod(t, "a")
	return &hooked{w, e, pod, w.Inbox(t, pod, "alice"), w.Inbox(t, pod, "bob")}
}

func (w *hooked) hook(t *testing.T, g mail.Grant, n server.NewWebhook) mail.Webhook {
	t.Helper()
	if n.EventTypes == nil {
		n.EventTypes = []string{"message.received"}
	}
	made, err := w.Server.CreateWebhook(context.Background(), g, n)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (w *hooked) receive(t *testing.T, name, subject string) {
	t.Helper()
	w.Deliver(t, name+"@podmail.test", "From: x@example.org\nSubject: "+subject+"\n\ntext")
}

// until lets the workers take steps until ok.
func (w *hooked) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := context.Background()
	eventually(t, what, func() bool {
		for _, step := range []func(context.Context) (bool, error){w.Server.FanOut, w.Server.PostDue} {
			if _, err := step(ctx); err != nil {
				t.Fatal(err)
			}
		}
		return ok()
	})
}

func (w *hooked) deliveries(t *testing.T, g mail.Grant, id string) []mail.WebhookDelivery {
	t.Helper()
	ds, _, err := w.Server.ListWebhookDeliveries(context.Background(), g, id, "", mail.Page{Limit: 100, Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func TestWebhooksAreToldAtTheirScope(t *testing.T) {
	w := newHooked(t)
	w.receive(t, "alice", "before")
	w.hook(t, w.Org, server.NewWebhook{URL: "http://org.test/"})
	w.hook(t, w.Org, server.NewWebhook{URL: "http://narrowed.test/", InboxIDs: []string{"bob@podmail.test"}})
	w.hook(t, w.pod, server.NewWebhook{URL: "http://pod.test/"})
	w.hook(t, w.alice, server.NewWebhook{URL: "http://alice.test/"})
	w.hook(t, w.alice, server.NewWebhook{URL: "http://sent.test/", EventTypes: []string{"message.sent"}})
	other := w.Pod(t, "b")
	w.hook(t, other, server.NewWebhook{URL: "http://other.test/"})
	w.receive(t, "alice", "one")
	w.receive(t, "bob", "two")
	w.receive(t, "poison.alice", "three")
	w.until(t, "all are told", func() bool { return len(w.seen()) >= 7 })
	got := w.seen()
	slices.Sort(got)
	want := []string{
		"http://alice.test/ alice@podmail.test one",
		"http://narrowed.test/ bob@podmail.test two",
		"http://org.test/ alice@podmail.test one", "http://org.test/ bob@podmail.test two", "http://org.test/ poison.alice@podmail.test three",
		"http://pod.test/ alice@podmail.test one", "http://pod.test/ bob@podmail.test two",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told:\n%s", strings.Join(got, "\n"))
	}
}

// TestOrderIsKeptByInbox has an endpoint down while mail arrives in two inboxes, with another server taking over meanwhile.
func TestOrderIsKeptByInbox(t *testing.T) {
	w := newHooked(t)
	w.set("http://a.test/", true)
	hook := w.hook(t, w.pod, server.NewWebhook{URL: "http://a.test/"})
	for i := range 5 {
		w.receive(t, "alice", fmt.Sprint("a", i))
		w.receive(t, "bob", fmt.Sprint("b", i))
	}
	w.until(t, "the first of each inbox was tried", func() bool { return w.failures() == 2 && len(w.deliveries(t, w.pod, hook.WebhookID)) == 10 })
	for range 3 {
		w.Clock.Step(time.Second)
		w.Server.PostDue(context.Background())
	}
	if n := w.failures(); n != 2 {
		t.Errorf("tried %d times within the first wait", n)
	}
	w.Clock.Step(10 * time.Second)
	w.until(t, "they were tried again", func() bool { return w.failures() == 4 })
	w.set("http://a.test/", false)
	w.Clock.Step(6 * time.Minute)
	w.until(t, "all are told", func() bool { return len(w.seen()) == 10 })
	for inbox, want := range map[string]string{"alice": "a0 a1 a2 a3 a4", "bob": "b0 b1 b2 b3 b4"} {
		var got []string
		for _, s := range w.seen() {
			if f := strings.Fields(s); f[1] == inbox+"@podmail.test" {
				got = append(got, f[2])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q", inbox, got)
		}
	}
	first := w.deliveries(t, w.pod, hook.WebhookID)[0]
	d, attempts, err := w.Server.GetWebhookDelivery(context.Background(), w.pod, hook.WebhookID, first.DeliveryID)
	if err != nil || d.State != mail.WebhookDelivered || len(attempts) != 3 || attempts[0].Status != 503 || attempts[0].Answer != "not now" || attempts[2].Status != 204 {
		t.Errorf("%+v, %+v, %v", d, attempts, err)
	}
}

func TestWebhookRetriesEnd(t *testing.T) {
	ctx := context.Background()
	w := newHooked(t)
	w.set("http://dead.test/", true)
	hook := w.hook(t, w.alice, server.NewWebhook{URL: "http://dead.test/"})
	w.receive(t, "alice", "one")
	w.until(t, "it was tried", func() bool { return w.failures() == 1 })
	var waits []string
	for try := 2; ; try++ {
		d := w.deliveries(t, w.alice, hook.WebhookID)[0]
		eventually(t, "the answer is noted", func() bool { d = w.deliveries(t, w.alice, hook.WebhookID)[0]; return d.Attempts == try-1 })
		if d.State != mail.WebhookQueued {
			break
		}
		wait := d.NextAttemptAt.Sub(d.UpdatedAt)
		waits = append(waits, (wait - wait%(wait/10+1)).Round(time.Second).String())
		w.Clock.Step(wait)
		w.until(t, fmt.Sprint("try ", try), func() bool { return w.failures() == try })
	}
	if len(waits) != 7 || w.deliveries(t, w.alice, hook.WebhookID)[0].State != mail.WebhookFailed {
		t.Errorf("waits: %q", waits)
	}

	d := w.deliveries(t, w.alice, hook.WebhookID)[0]
	w.set("http://dead.test/", false)
	if _, err := w.Server.ReplayWebhookDelivery(ctx, w.alice, hook.WebhookID, d.DeliveryID); err != nil {
		t.Fatal(err)
	}
	w.until(t, "it is told when somebody asks for it", func() bool { return len(w.seen()) == 1 })
}

func TestDeadEndpointsAreDisabled(t *testing.T) {
	ctx := context.Background()
	w := newHooked(t)
	w.set("http://dead.test/", true)
	hook := w.hook(t, w.alice, server.NewWebhook{URL: "http://dead.test/"})
	enabled := func() bool {
		got, err := w.Server.GetWebhook(ctx, w.alice, hook.WebhookID)
		if err != nil {
			t.Fatal(err)
		}
		return got.Enabled
	}
	for day := range 5 {
		before := w.failures()
		w.receive(t, "alice", fmt.Sprint("day ", day))
		w.until(t, "it was tried", func() bool { return w.failures() > before })
		if !enabled() {
			t.Fatal("disabled on day", day)
		}
		w.Clock.Step(25 * time.Hour)
	}
	w.until(t, "it is disabled", func() bool { return !enabled() })
	before := w.failures()
	w.receive(t, "alice", "unheard")
	w.Clock.Step(11 * time.Hour)
	for range 3 {
		w.Server.FanOut(ctx)
		w.Server.PostDue(ctx)
	}
	if w.failures() != before {
		t.Error("a disabled endpoint was asked")
	}
	on := true
	w.set("http://dead.test/", false)
	if _, err := w.Server.UpdateWebhook(ctx, w.alice, hook.WebhookID, server.WebhookUpdate{Enabled: &on}); err != nil {
		t.Fatal(err)
	}
	w.receive(t, "alice", "heard")
	w.until(t, "it hears again", func() bool { return slices.Contains(w.seen(), "http://dead.test/ alice@podmail.test heard") })
}

// TestWebhooksOutliveTheServer hands events over that were committed before another server takes the file.
func TestWebhooksOutliveTheServer(t *testing.T) {
	ctx := context.Background()
	w := newHooked(t)
	w.stuck = make(chan bool)
	defer close(w.stuck)
	hook := w.hook(t, w.alice, server.NewWebhook{URL: "http://a.test/"})
	w.receive(t, "alice", "one")
	w.receive(t, "alice", "two")
	w.until(t, "both are to be told", func() bool { return len(w.deliveries(t, w.alice, hook.WebhookID)) == 2 })
	e := &endpoints{}
	options := w.Options
	options.Poster = e
	after := server.New(options)
	if _, err := after.Bootstrap(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next server tells both", func() bool {
		after.FanOut(ctx)
		after.PostDue(ctx)
		return len(e.seen()) == 2
	})
	if got := e.seen(); !strings.HasSuffix(got[0], "one") || !strings.HasSuffix(got[1], "two") {
		t.Errorf("%q", got)
	}
}

func TestWebhooksThatCannotBe(t *testing.T) {
	ctx := context.Background()
	w := newHooked(t)
	other := w.Inbox(t, w.Pod(t, "b"), "carol")
	noSpam := w.pod
	noSpam.Permissions = mail.Permissions{mail.WebhookCreate: true, mail.MessageRead: true}
	many := make([]string, 0, 11)
	for i := range 11 {
		many = append(many, w.Inbox(t, w.pod, fmt.Sprint("n", i)).InboxID)
	}
	for name, c := range map[string]struct {
		g    mail.Grant
		n    server.NewWebhook
		want mail.Code
	}{
		"no type":               {w.pod, server.NewWebhook{URL: "http://a.test"}, mail.CodeInvalid},
		"unknown type":          {w.pod, server.NewWebhook{URL: "http://a.test", EventTypes: []string{"label.added"}}, mail.CodeInvalid},
		"no host":               {w.pod, server.NewWebhook{URL: "http:///x", EventTypes: []string{"message.sent"}}, mail.CodeInvalid},
		"other scheme":          {w.pod, server.NewWebhook{URL: "file:///etc/passwd", EventTypes: []string{"message.sent"}}, mail.CodeInvalid},
		"foreign inbox":         {w.pod, server.NewWebhook{URL: "http://a.test", EventTypes: []string{"message.sent"}, InboxIDs: []string{other.InboxID}}, mail.CodeNotFound},
		"no such inbox":         {w.pod, server.NewWebhook{URL: "http://a.test", EventTypes: []string{"message.sent"}, InboxIDs: []string{"no@podmail.test"}}, mail.CodeNotFound},
		"too many inboxes":      {w.pod, server.NewWebhook{URL: "http://a.test", EventTypes: []string{"message.sent"}, InboxIDs: many}, mail.CodeInvalid},
		"spam without leave":    {noSpam, server.NewWebhook{URL: "http://a.test", EventTypes: []string{"message.received.spam"}}, mail.CodeForbidden},
		"header of ours":        {w.pod, server.NewWebhook{URL: "http://a.test", EventTypes: []string{"message.sent"}, Headers: map[string]string{"Svix-Id": "x"}}, mail.CodeInvalid},
		"header with a newline": {w.pod, server.NewWebhook{URL: "http://a.test", EventTypes: []string{"message.sent"}, Headers: map[string]string{"X": "a\nb"}}, mail.CodeInvalid},
		"header twice":          {w.pod, server.NewWebhook{URL: "http://a.test", EventTypes: []string{"message.sent"}, Headers: map[string]string{"X-A": "a", "x-a": "b"}}, mail.CodeInvalid},
	} {
		if _, err := w.Server.CreateWebhook(ctx, c.g, c.n); mail.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWebhooksForgetWhatIsDeleted deletes inboxes and a pod that webhooks name. What names others too goes on with those;
// what names nothing else goes, instead of hearing everything, or the next inbox of that name.
func TestWebhooksForgetWhatIsDeleted(t *testing.T) {
	ctx := context.Background()
	w := newHooked(t)
	empty := w.Pod(t, "empty")
	one := w.hook(t, w.pod, server.NewWebhook{URL: "http://one.test/", InboxIDs: []string{w.alice.InboxID}})
	two := w.hook(t, w.Org, server.NewWebhook{URL: "http://two.test/", InboxIDs: []string{w.alice.InboxID, w.bob.InboxID}})
	pods := w.hook(t, w.Org, server.NewWebhook{URL: "http://pods.test/", PodIDs: []string{empty.PodID}, InboxIDs: []string{w.alice.InboxID}})
	all := w.hook(t, w.Org, server.NewWebhook{URL: "http://all.test/"})
	if err := w.Server.DeleteInbox(ctx, w.pod, w.alice.InboxID); err != nil {
		t.Fatal(err)
	}
	places := func(id string) (names []string) {
		t.Helper()
		hook, err := w.Server.GetWebhook(ctx, w.Org, id)
		if mail.CodeOf(err) == mail.CodeNotFound {
			return []string{"gone"}
		} else if err != nil {
			t.Fatal(err)
		}
		for _, p := range hook.Places {
			names = append(names, p.PodID+p.InboxID)
		}
		return names
	}
	for id, want := range map[string][]string{one.WebhookID: {"gone"}, two.WebhookID: {w.bob.InboxID}, pods.WebhookID: {empty.PodID}, all.WebhookID: nil} {
		if got := places(id); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := w.Server.DeletePod(ctx, w.Org, empty.PodID); err != nil {
		t.Fatal(err)
	}
	if got := places(pods.WebhookID); !slices.Equal(got, []string{"gone"}) {
		t.Errorf("of the pod: %q", got)
	}
}
