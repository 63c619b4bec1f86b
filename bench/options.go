package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// options are what can be chosen.
type options struct {
	only      []string
	peer      bool
	peerStore string
	quick     bool
	keep      bool
	jsonFile  string
	profile   string
	timeout   time.Duration
	quiet     time.Duration

	messages int // delivered by SMTP
	mailbox  int // messages of the mailbox that is fetched
	listed   int // messages of the inbox whose threads are listed
	inboxes  int // made beforehand
	queued   int // messages to other hosts
	backlog  int // recipients that wait at a restart

	// A server that runs already.
	smtp, imap, api, key string
	pid                  int

	// What follows from quick.
	stores, appends, deliveries, requests int
	patience                              time.Duration // for a measurement that counts as many as it can
}

func parseOptions(args []string) (options, error) {
	var o options
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&only, "only", "", "measure only these, separated by commas: "+strings.Join(names(), ", "))
	f.BoolVar(&o.peer, "peer", true, "measure Postfix and Dovecot too")
	f.StringVar(&o.peerStore, "peer-store", "maildir", "how Dovecot stores mail: maildir, mdbox or sdbox")
	f.BoolVar(&o.quick, "quick", false, "fewer of everything: a look, not a measurement")
	f.BoolVar(&o.keep, "keep", false, "keep the temporary folder, with logs and mail")
	f.StringVar(&o.jsonFile, "json", "", "write the raw numbers to this `file` too")
	f.StringVar(&o.profile, "profile", "", "leave CPU and allocation profiles of Podmail for each measurement in this `folder`")
	f.DurationVar(&o.timeout, "timeout", 20*time.Minute, "end the run after this time")
	f.DurationVar(&o.quiet, "quiet", 0, "wait so long before each measurement for other programs to leave the machine alone")
	f.IntVar(&o.messages, "messages", 0, "messages delivered by SMTP; Postfix gets a quarter, as it takes its time (default 10000, quick 2000)")
	f.IntVar(&o.mailbox, "mailbox", 2000, "messages of the mailbox that is fetched")
	f.IntVar(&o.listed, "list", 0, "messages, each its own thread, of the inbox whose threads are listed (default 10000, quick 1000)")
	f.IntVar(&o.inboxes, "inboxes", 0, "make so many inboxes before measuring, to see the figures in a large file")
	f.IntVar(&o.queued, "queued", 0, "messages sent to other hosts (default 10000, quick 1000)")
	f.IntVar(&o.backlog, "backlog", 0, "recipients at other hosts who wait when the server starts (default 100000, quick 10000)")
	f.StringVar(&o.smtp, "smtp", "127.0.0.1:2525", "with -key: `address` of its SMTP listener for mail from other servers")
	f.StringVar(&o.imap, "imap", "127.0.0.1:2143", "with -key: `address` of its IMAP listener")
	f.StringVar(&o.api, "api", "http://127.0.0.1:8080", "with -key: `origin` of its API")
	f.StringVar(&o.key, "key", "", "measure a Podmail that runs already, with this API key of its organization")
	f.IntVar(&o.pid, "pid", 0, "with -key: its process, to measure memory")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	return o, complain(f, o.complete(f.Args(), only))
}

// complete checks what was chosen and fills in what follows from it.
func (o *options) complete(rest []string, only string) error {
	if len(rest) > 0 {
		return fmt.Errorf("what is %q?", rest[0])
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("-only knows %s, not %q", strings.Join(names(), ", "), name)
		}
	}
	if !slices.Contains([]string{"maildir", "mdbox", "sdbox"}, o.peerStore) {
		return fmt.Errorf("-peer-store is maildir, mdbox or sdbox, not %q", o.peerStore)
	}
	if min(o.messages, o.listed, o.inboxes, o.queued, o.backlog, o.pid) < 0 || o.mailbox < 1 {
		return fmt.Errorf("numbers of messages and inboxes are not negative, and a mailbox that is fetched is not empty")
	}
	standard := func(n *int, full, quick int) {
		if o.quick {
			full = quick
		}
		if *n == 0 {
			*n = full
		}
	}
	standard(&o.messages, 10000, 2000)
	standard(&o.listed, 10000, 1000)
	standard(&o.queued, 10000, 1000)
	standard(&o.backlog, 100000, 10000)
	standard(&o.stores, 4000, 1000)
	standard(&o.appends, 2000, 400)
	standard(&o.deliveries, 300, 60)
	standard(&o.requests, 2000, 500)
	o.patience = 15 * time.Second
	if o.quick {
		o.patience = 4 * time.Second
	}
	return nil
}

// messagesFor is how many messages a side gets by SMTP.
func (o *options) messagesFor(s *side) int {
	if s.name == peerName {
		return max(1, o.messages/4)
	}
	return o.messages
}

func complain(f *flag.FlagSet, err error) error {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		f.Usage()
	}
	return err
}

func names() []string {
	var all []string
	for _, m := range measurements {
		all = append(all, m.name)
	}
	return all
}
