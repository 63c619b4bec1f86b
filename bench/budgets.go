package main

import (
	"fmt"
	"strings"
)

// row is a line of the table: a figure and what must be reached.
type row struct {
	id, what, unit string
	lower          bool    // less is better
	limit          float64 // to be reached (or, if lower, stayed under); 0: nothing is asked
	times          float64 // to be reached as a multiple of the peer; 0: nothing is asked
}

// rows are the budgets, for two cores and messages of 10 KiB, and figures that explain them.
var rows = []row{
	{id: "smtp.rate", what: "SMTP in, 20 sessions: in the mailbox", unit: "msg/s", limit: 2000, times: 5},
	{id: "smtp.answered", what: "  answered with 250", unit: "msg/s"},
	{id: "smtp.p50", what: "  MAIL to 250, p50", unit: "ms", lower: true},
	{id: "smtp.p99", what: "  MAIL to 250, p99", unit: "ms", lower: true, limit: 60},
	{id: "smtp.cpu", what: "  CPU of the server per message", unit: "ms", lower: true},
	{id: "smtp.client", what: "  CPU of the client per message", unit: "ms", lower: true},
	{id: "fetch.whole", what: "IMAP FETCH, whole messages", unit: "msg/s", limit: 15000},
	{id: "fetch.whole.first", what: "  the first time", unit: "msg/s"},
	{id: "fetch.envelopes", what: "IMAP FETCH, envelopes", unit: "msg/s", limit: 20000},
	{id: "fetch.envelopes.first", what: "  the first time", unit: "msg/s"},
	{id: "store.rate", what: "IMAP STORE, one connection", unit: "/s", limit: 1500},
	{id: "store.p99", what: "  p99", unit: "ms", lower: true},
	{id: "append.one", what: "IMAP APPEND, one connection", unit: "/s", limit: 300},
	{id: "append.one.p99", what: "  p99", unit: "ms", lower: true},
	{id: "append.ten", what: "IMAP APPEND, ten connections", unit: "/s", limit: 1500},
	{id: "append.ten.p99", what: "  p99", unit: "ms", lower: true},
	{id: "idle.shared.data.p50", what: "IDLE, 20 connections on one inbox: end of DATA to EXISTS, p50", unit: "ms", lower: true},
	{id: "idle.shared.data.p99", what: "  p99", unit: "ms", lower: true, limit: 25},
	{id: "idle.shared.250.p50", what: "  250 to EXISTS, p50", unit: "ms", lower: true},
	{id: "idle.shared.250.p99", what: "  250 to EXISTS, p99", unit: "ms", lower: true},
	{id: "idle.own.data.p50", what: "IDLE, 20 connections on 20 inboxes: end of DATA to EXISTS, p50", unit: "ms", lower: true},
	{id: "idle.own.data.p99", what: "  p99", unit: "ms", lower: true, limit: 25},
	{id: "idle.own.250.p99", what: "  250 to EXISTS, p99", unit: "ms", lower: true},
	{id: "api.create", what: "API, 20 at once: create inboxes", unit: "/s", limit: 2000},
	{id: "api.create.p99", what: "  p99", unit: "ms", lower: true},
	{id: "api.send", what: "API, 20 at once: send to a local inbox", unit: "/s", limit: 1000},
	{id: "api.send.p99", what: "  p99", unit: "ms", lower: true},
	{id: "api.send.arrived", what: "  arrived", unit: "/s"},
	{id: "api.send.cpu", what: "  CPU of the server per message sent and arrived", unit: "ms", lower: true},
	{id: "api.list.p50", what: "API, one at a time: list 100 threads of an inbox, p50", unit: "ms", lower: true},
	{id: "api.list.p99", what: "  p99", unit: "ms", lower: true, limit: 10},
	{id: "api.list.all.p50", what: "  of the organization, p50", unit: "ms", lower: true},
	{id: "api.list.all.p99", what: "  of the organization, p99", unit: "ms", lower: true, limit: 10},
	{id: "queue.rate", what: "Mail out to 50 destinations: taken there", unit: "msg/s", limit: 500},
	{id: "queue.cpu", what: "  CPU of the server per message", unit: "ms", lower: true},
	{id: "queue.memory", what: "  memory, peak", unit: "MiB", lower: true, limit: 100},
	{id: "queue.alone.p50", what: "  a message when nothing else waits: from the request to 250 there, p50", unit: "ms", lower: true, limit: 50},
	{id: "queue.quiet.p50", what: "  another pod's message meanwhile, p50", unit: "ms", lower: true, limit: 250},
	{id: "queue.quiet.max", what: "  the slowest of them", unit: "ms", lower: true, limit: 1000},
	{id: "queue.restart", what: "  start with that queue, until it answers", unit: "ms", lower: true, limit: 500},
	{id: "queue.backlog.restart", what: "  start with the backlog, until it answers", unit: "ms", lower: true, limit: 500},
	{id: "queue.backlog.rate", what: "  recipients of it reached", unit: "/s"},
	{id: "queue.backlog.quiet", what: "  another pod's message meanwhile, p50", unit: "ms", lower: true, limit: 500},
	{id: "memory.idle", what: "Memory, idle after start", unit: "MiB", lower: true, limit: 50},
	{id: "memory.connection", what: "  per idle IMAP connection, of 200", unit: "KiB", lower: true, limit: 20},
	{id: "memory.large.in", what: "  growth while 50 MB come in by SMTP", unit: "MiB", lower: true, limit: flat},
	{id: "memory.large.again", what: "  growth while they come in again", unit: "MiB", lower: true, limit: flat},
	{id: "memory.large.imap", what: "  growth while they go out by IMAP", unit: "MiB", lower: true, limit: flat},
	{id: "memory.large.api", what: "  growth while they go out by the API", unit: "MiB", lower: true, limit: flat},
	{id: "memory.after", what: "Memory, at the end of the run", unit: "MiB", lower: true},
}

// flat is the growth that still counts as none: buffers, not the message.
const flat = 10

// budget words what must be reached.
func (r row) budget() string {
	var parts []string
	if r.limit > 0 {
		sign := "≥"
		if r.lower {
			sign = "<"
		}
		parts = append(parts, fmt.Sprintf("%s %s %s", sign, number(r.limit), r.unit))
	}
	if r.times > 0 {
		parts = append(parts, fmt.Sprintf("≥ %s× peer", number(r.times)))
	}
	return strings.Join(parts, ", ")
}

// met tells whether the budget is kept. What cannot be compared is judged by the limit alone.
func (r row) met(ours float64, peer figure, compared bool) bool {
	if r.limit > 0 && (r.lower && ours >= r.limit || !r.lower && ours < r.limit) {
		return false
	}
	return r.times == 0 || !compared || ours >= r.times*peer.Value
}

// better is how many times better ours is than the peer's.
func (r row) better(ours, peer float64) float64 {
	if r.lower {
		ours, peer = peer, ours
	}
	if peer <= 0 {
		return 0
	}
	return ours / peer
}
