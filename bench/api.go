package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// apiClient speaks what of the HTTP API is measured.
type apiClient struct {
	origin, key string
	http        *http.Client
}

func newAPI(origin, key string) *apiClient {
	return &apiClient{origin: origin, key: key, http: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		Timeout:   ioTimeout,
	}}
}

// call sends a request and decodes the answer into into, unless that is nil. Anything but 2xx is an error.
func (a *apiClient) call(ctx context.Context, method, path string, body, into any) error {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, a.origin+path, payload)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+a.key)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}
	if into == nil {
		_, err = io.Copy(io.Discard, resp.Body) // to the end, so that the connection is used again
		return err
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func (a *apiClient) createInbox(ctx context.Context, username string) (address string, err error) {
	var made struct {
		InboxID string `json:"inbox_id"`
	}
	err = a.call(ctx, http.MethodPost, "/v0/inboxes", map[string]string{"username": username}, &made)
	return made.InboxID, err
}

func inboxPath(address string) string { return "/v0/inboxes/" + url.PathEscape(address) }

func (a *apiClient) send(ctx context.Context, from, to, subject, text string) error {
	return a.call(ctx, http.MethodPost, inboxPath(from)+"/messages/send",
		map[string]any{"to": []string{to}, "subject": subject, "text": text}, nil)
}

// rawOfNewest downloads the newest message of an inbox to w, as a program would: list, ask for the link, follow it.
func (a *apiClient) rawOfNewest(ctx context.Context, address string, w io.Writer) error {
	var list struct {
		Messages []struct {
			MessageID string `json:"message_id"`
		} `json:"messages"`
	}
	if err := a.call(ctx, http.MethodGet, inboxPath(address)+"/messages?limit=1", nil, &list); err != nil {
		return err
	}
	if len(list.Messages) == 0 {
		return fmt.Errorf("%s has no messages", address)
	}
	var raw struct {
		DownloadURL string `json:"download_url"`
	}
	path := inboxPath(address) + "/messages/" + url.PathEscape(list.Messages[0].MessageID) + "/raw"
	if err := a.call(ctx, http.MethodGet, path, nil, &raw); err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, raw.DownloadURL, nil)
	if err != nil {
		return err
	}
	resp, err := a.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("download: %s", resp.Status)
	}
	_, err = io.Copy(w, resp.Body)
	return err
}

// repeat calls do n times from some clients at once, for at most the time given, and returns how long each call took
// and how long all together.
func repeat(ctx context.Context, n, clients int, limit time.Duration, do func(ctx context.Context, i int) error) (took durations, all time.Duration, err error) {
	start := time.Now()
	took, err = inParallel(ctx, n, clients, func(ctx context.Context, i int) error {
		if time.Since(start) > limit {
			return errEnough
		}
		return do(ctx, i)
	})
	return took, time.Since(start), err
}
