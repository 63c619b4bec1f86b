package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// apiClients is how many requests are on their way at once when inboxes are made and mail is sent; lists are asked for
// one after the other, since there the time of one answer counts.
const apiClients = 20

// measureAPI has nothing to compare with: the peer has no API.
func measureAPI(b *bench, s *side) error {
	if s.api == nil {
		return nil
	}
	for _, part := range []func(*bench, *side) error{measureCreate, measureList} {
		if err := part(b, s); err != nil {
			return err
		}
	}
	return nil
}

func measureCreate(b *bench, s *side) error {
	name := b.name("made")
	took, all, err := repeat(b.ctx, b.requests*2, apiClients, b.patience, func(ctx context.Context, i int) error {
		_, err := s.api.createInbox(ctx, fmt.Sprintf("%s-%d", name, i))
		return err
	})
	if err != nil {
		return err
	}
	b.record(s, "api.create", float64(len(took))/all.Seconds(), len(took))
	b.record(s, "api.create.p99", milliseconds(took.percentile(99)), len(took))
	return nil
}

// measureList asks for the first 100 threads of an inbox of b.listed messages, and of everything the key may see.
func measureList(b *bench, s *side) error {
	all, err := s.accounts(b.ctx, b.name("list"), 1)
	if err != nil {
		return err
	}
	b.say("filling an inbox with %d threads", b.listed)
	if err := s.deliver(b.ctx, b.mail, all[0], b.listed); err != nil {
		return err
	}
	for _, list := range []struct{ id, path string }{
		{"api.list", inboxPath(all[0].address) + "/threads?limit=100"}, {"api.list.all", "/v0/threads?limit=100"},
	} {
		var page struct {
			Threads []struct{} `json:"threads"`
		}
		if err := s.api.call(b.ctx, http.MethodGet, list.path, nil, &page); err != nil {
			return err
		}
		if want := min(100, b.listed); len(page.Threads) != want {
			return fmt.Errorf("%s: %d threads, want %d", list.path, len(page.Threads), want)
		}
		took, _, err := repeat(b.ctx, b.requests/2, 1, b.patience, func(ctx context.Context, _ int) error {
			return s.api.call(ctx, http.MethodGet, list.path, nil, nil)
		})
		if err != nil {
			return err
		}
		b.record(s, list.id+".p50", milliseconds(took.percentile(50)), len(took))
		b.record(s, list.id+".p99", milliseconds(took.percentile(99)), len(took))
	}
	return nil
}

// measureSend sends to inboxes of the same server, and waits until all of it has arrived. It is a measurement of its own
// so that its profile shows nothing else.
func measureSend(b *bench, s *side) error {
	if s.api == nil {
		return nil
	}
	from, err := s.accounts(b.ctx, b.name("from"), apiClients)
	if err != nil {
		return err
	}
	to, err := s.accounts(b.ctx, b.name("to"), apiClients)
	if err != nil {
		return err
	}
	body := strings.ReplaceAll(string(b.mail.bodies[0]), "\r\n", "\n")
	cpu := s.watchCPU()
	start := time.Now()
	took, all, err := repeat(b.ctx, b.requests, apiClients, b.patience, func(ctx context.Context, i int) error {
		return s.api.send(ctx, from[i%len(from)].address, to[i%len(to)].address, fmt.Sprintf("Sent %d", i), body)
	})
	if err != nil {
		return err
	}
	there, err := s.settle(to, len(took), time.Minute)
	if err != nil {
		return err
	}
	b.record(s, "api.send", float64(len(took))/all.Seconds(), len(took))
	b.record(s, "api.send.p99", milliseconds(took.percentile(99)), len(took))
	b.record(s, "api.send.arrived", float64(len(took))/there.Sub(start).Seconds(), len(took))
	if server, _, ok := cpu(); ok {
		b.record(s, "api.send.cpu", milliseconds(server)/float64(len(took)), len(took))
	}
	return nil
}
