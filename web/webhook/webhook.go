// Package webhook tells endpoints what happened: it writes an event down, signs it and posts it, once. When to do so, and
// what follows from the answer, is server's.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/web/api"
	"podmail/web/outbound"
)

const (
	answerTime = 15 * time.Second // for an endpoint to answer (contract: semantics.md, Events)
	maxAnswer  = 64 << 10         // bytes of an answer that are read, so that its connection can be used again
	keptAnswer = 500              // bytes of it that are kept
)

// Poster posts to endpoints. It is safe for concurrent use.
type Poster struct {
	client *http.Client
	clock  mail.Clock
}

// NewPoster returns a Poster. Endpoints at private addresses are not asked unless allowPrivate.
func NewPoster(clock mail.Clock, allowPrivate bool) *Poster {
	return &Poster{client: outbound.NewClient(allowPrivate, 0), clock: clock}
}

// Close gives up idle connections.
func (p *Poster) Close() { p.client.CloseIdleConnections() }

// Post implements server.Poster.
func (p *Poster) Post(ctx context.Context, w *mail.Webhook, e *server.Event) (a mail.WebhookAnswer) {
	began := time.Now()
	defer func() { a.Took = time.Since(began) }()
	ctx, stop := context.WithTimeout(ctx, answerTime)
	defer stop()
	r, err := p.request(ctx, w, e)
	if err != nil {
		return mail.WebhookAnswer{Error: err.Error()}
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return mail.WebhookAnswer{Error: cause(err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	a = mail.WebhookAnswer{Status: resp.StatusCode, Answer: beginning(body)}
	if err != nil && !a.OK() {
		a.Error = cause(err)
	}
	return a
}

// request is the post of an event, signed as Svix does (https://docs.svix.com/receiving/verifying-payloads/how-manual).
func (p *Poster) request(ctx context.Context, w *mail.Webhook, e *server.Event) (*http.Request, error) {
	payload, err := api.EventPayload(e)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(w.Secret, "whsec_"))
	if err != nil {
		return nil, fmt.Errorf("the webhook's secret: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	timestamp := strconv.FormatInt(p.clock.Now().Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", e.EventID, timestamp, payload)
	r.Header.Set("User-Agent", "Podmail-Webhooks/1")
	for name, value := range w.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("svix-id", e.EventID)
	r.Header.Set("svix-timestamp", timestamp)
	r.Header.Set("svix-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r, nil
}

// cause words why there was no answer, without the URL, which may hold secrets.
func cause(err error) string {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || inner.Unwrap() == nil || !strings.Contains(err.Error(), "://") {
			return err.Error()
		}
		err = inner.Unwrap()
	}
}

// beginning is how an answer begins, as text.
func beginning(body []byte) string {
	return strings.ToValidUTF8(string(body[:min(len(body), keptAnswer)]), "\uFFFD")
}
