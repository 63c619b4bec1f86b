package api

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"podmail/mail"
)

// query reads a request's query parameters and gathers what is wrong with them. Unknown parameters are ignored.
type query struct {
	values   url.Values
	problems problems
}

func readQuery(c echo.Context) *query {
	raw := c.Request().URL.RawQuery
	if raw == "" {
		return &query{}
	}
	values, err := url.ParseQuery(raw)
	q := &query{values: values}
	if err != nil {
		q.problems.add("invalid_format", "", "the query string is not properly escaped")
	}
	return q
}

func (q *query) err() error { return q.problems.err() }

// text is a parameter of one value; empty if absent.
func (q *query) text(name string) string { return q.values.Get(name) }

// oneOf is a parameter that has one of a few values; empty if absent.
func (q *query) oneOf(name string, allowed ...string) string {
	v := q.text(name)
	if v == "" {
		return ""
	}
	for _, a := range allowed {
		if v == a {
			return v
		}
	}
	q.problems.add("invalid_value", "", "must be one of "+strings.Join(allowed, ", "), name)
	return ""
}

// flag is a boolean parameter; false if absent. Python and shells spell booleans in their own ways.
func (q *query) flag(name string) bool {
	switch strings.ToLower(q.text(name)) {
	case "true", "1":
		return true
	case "", "false", "0":
		return false
	}
	q.problems.add("invalid_type", "boolean", "must be true or false", name)
	return false
}

// limit is the size of a page, up to most.
func (q *query) limit(most int) int {
	return q.whole("limit", 1, most, defaultLimit)
}

// whole is a parameter that is a whole number between two; absent if it is not given.
func (q *query) whole(name string, least, most, absent int) int {
	v := q.text(name)
	if v == "" {
		return absent
	}
	n, err := strconv.Atoi(v)
	switch {
	case err != nil:
		q.problems.add("invalid_type", "number", "must be a whole number", name)
	case n < least:
		q.problems.add("too_small", "", "must be at least "+strconv.Itoa(least), name)
	case n > most:
		q.problems.add("too_big", "", "must be at most "+strconv.Itoa(most), name)
	default:
		return n
	}
	return absent
}

// page reads limit, page_token and ascending.
func (q *query) page(most int) mail.Page {
	return mail.Page{Limit: q.limit(most), Token: q.text("page_token"), Ascending: q.flag("ascending")}
}

// list is a parameter of several values.
func (q *query) list(name string) []string {
	out, ok := splitList(q.values[name])
	if !ok {
		q.problems.add("invalid_type", "array", "must be an array of strings", name)
	}
	if len(out) > maxFilterValues {
		q.problems.add("too_big", "", "has at most "+strconv.Itoa(maxFilterValues)+" values", name)
	}
	return out
}

// splitList takes the three spellings of a query array (contract: semantics.md, "Query arrays"): a JSON array in one
// parameter, a comma list, repeats. Text that merely begins like JSON is taken as it is. ok is false for a JSON array
// of something else than strings.
func splitList(values []string) (out []string, ok bool) {
	for _, v := range values {
		if strings.HasPrefix(v, "[") && json.Valid([]byte(v)) {
			items, ok := stringArray(v)
			if !ok {
				return nil, false
			}
			out = append(out, items...)
			continue
		}
		if strings.HasPrefix(v, `"`) {
			var item string
			if json.Unmarshal([]byte(v), &item) == nil {
				out = append(out, item)
				continue
			}
		}
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
	}
	return out, true
}

func stringArray(array string) (out []string, ok bool) {
	var items []*string // pointers, since a null would decode into a string silently
	if json.Unmarshal([]byte(array), &items) != nil {
		return nil, false
	}
	for _, i := range items {
		if i == nil {
			return nil, false
		}
		out = append(out, *i)
	}
	return out, true
}

// moment is a parameter that is a time: ISO 8601 with a zone, or a date, which means its start in UTC. Without a zone
// it would mean something else to every caller.
func (q *query) moment(name string) time.Time {
	v := q.text(name)
	if v == "" {
		return time.Time{}
	}
	t, err := parseMoment(v)
	if err != nil {
		q.problems.add("invalid_format", "", "must be an ISO 8601 time with a zone, such as 2026-01-02T03:04:05.678Z", name)
	}
	return t
}

func parseMoment(v string) (time.Time, error) {
	// A + that was not escaped arrives as a space (the query string's rules), and only a zone has one.
	if i := strings.LastIndexByte(v, ' '); i > len("2006-01-02") {
		v = v[:i] + "+" + v[i+1:]
	}
	if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
		return t, nil
	}
	return time.Parse(time.DateOnly, v)
}

// filter reads what narrows a list of messages or threads; from and to are what senders and recipients are called at
// the list. Filters by words are searches, of which a page has fewer items.
func (q *query) filter(from, to string) (f mail.MessageFilter, most int) {
	f = mail.MessageFilter{Labels: q.list("labels"), Subject: q.list("subject")}
	senders, recipients := q.list(from), q.list(to)
	most = maxPlainLimit
	if len(f.Subject)+len(senders)+len(recipients) > 0 {
		most = maxSearchLimit
	}
	if from == "from" {
		f.From, f.To = senders, recipients
	} else {
		f.Senders, f.Recipients = senders, recipients
	}
	f.Before, f.After = q.between()
	for _, include := range []struct {
		name   string
		hidden mail.Hidden
	}{{"include_spam", mail.HiddenSpam}, {"include_trash", mail.HiddenTrash},
		{"include_blocked", mail.HiddenBlocked}, {"include_unauthenticated", mail.HiddenUnauthenticated}} {
		if q.flag(include.name) {
			f.Include |= include.hidden
		}
	}
	return f, most
}

// between reads before and after, which are exclusive. Callers know times by their milliseconds, which are all that is
// shown; what shares its millisecond with a bound shares its fate.
func (q *query) between() (before, after time.Time) {
	before, after = q.moment("before"), q.moment("after")
	if floor := before.Truncate(time.Millisecond); !floor.Equal(before) {
		before = floor.Add(time.Millisecond)
	}
	if !after.IsZero() {
		after = after.Truncate(time.Millisecond).Add(time.Millisecond - time.Microsecond)
	}
	return before, after
}
