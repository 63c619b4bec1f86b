package scan

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"podmail/mail"
)

const (
	opinionTime = 30 * time.Second // for rspamd's answer, once it has all
	maxOpinion  = 1 << 20          // bytes of it
	maxSymbols  = 100
)

// Rspamd asks rspamd what it thinks of messages (POST /checkv2). It is safe for concurrent use.
type Rspamd struct {
	client *http.Client
	url    string
}

// NewRspamd returns a client of the worker at host:port.
func NewRspamd(address string) *Rspamd {
	d := net.Dialer{Timeout: dialTime}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		return stalling{conn}, err
	}
	return &Rspamd{&http.Client{Transport: &http.Transport{DialContext: dial, ResponseHeaderTimeout: opinionTime, IdleConnTimeout: time.Minute}}, "http://" + address + "/checkv2"}
}

// stalling gives up on a peer that takes nothing for a while.
type stalling struct{ net.Conn }

func (s stalling) Write(p []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return s.Conn.Write(p)
}

// Sender is what rspamd is told beside a message.
type Sender struct {
	Remote      netip.Addr
	HELO        string
	ReversePath string
	Recipients  []string
}

// Opinion is one message on its way through rspamd: all its bytes are written to it, then Finish tells what it thinks.
type Opinion struct {
	out    *io.PipeWriter
	cancel context.CancelFunc
	done   chan mail.FilterResult // holds one
}

// Begin hands a message over as it comes. An Opinion that was begun must be closed.
func (r *Rspamd) Begin(ctx context.Context, from Sender) *Opinion {
	ctx, cancel := context.WithCancel(ctx)
	in, out := io.Pipe()
	o := &Opinion{out: out, cancel: cancel, done: make(chan mail.FilterResult, 1)}
	go func() {
		found, err := r.ask(ctx, in, from)
		if err != nil {
			found = mail.FilterResult{Failure: err.Error()}
		}
		in.CloseWithError(io.ErrClosedPipe) // whatever is left of the message is not wanted
		o.done <- found
	}()
	return o
}

func (r *Rspamd) ask(ctx context.Context, message io.Reader, from Sender) (found mail.FilterResult, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, message)
	if err != nil {
		return found, err
	}
	q.Header.Set("IP", from.Remote.String())
	for name, value := range map[string]string{"Helo": from.HELO, "From": from.ReversePath} {
		if value != "" {
			q.Header.Set(name, value)
		}
	}
	for _, to := range from.Recipients {
		q.Header.Add("Rcpt", to)
	}
	a, err := r.client.Do(q)
	if err != nil {
		return found, err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return found, fmt.Errorf("rspamd answers %s", a.Status)
	}
	var answer struct {
		Action   string                     `json:"action"`
		Score    float64                    `json:"score"`
		Required float64                    `json:"required_score"`
		Symbols  map[string]json.RawMessage `json:"symbols"`
	}
	if err := json.NewDecoder(io.LimitReader(a.Body, maxOpinion)).Decode(&answer); err != nil {
		return found, fmt.Errorf("rspamd's answer: %w", err)
	}
	symbols := slices.Sorted(maps.Keys(answer.Symbols))
	return mail.FilterResult{Action: answer.Action, Score: answer.Score, Required: answer.Required, Symbols: symbols[:min(len(symbols), maxSymbols)]}, nil
}

// Write takes the message's next bytes. It never fails: what is wrong is told by Finish.
func (o *Opinion) Write(p []byte) (int, error) {
	_, _ = o.out.Write(p) // a filter that went away has left its reason
	return len(p), nil
}

// Finish tells what rspamd thinks of what was written.
func (o *Opinion) Finish() mail.FilterResult {
	o.out.Close()
	return <-o.done
}

// Close gives up what still runs.
func (o *Opinion) Close() {
	o.cancel()
	o.out.CloseWithError(context.Canceled)
}
