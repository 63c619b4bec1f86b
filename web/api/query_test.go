package api

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"podmail/mail"
)

func queryOf(raw string) *query {
	r := httptest.NewRequest("GET", "/", nil)
	r.URL.RawQuery = raw
	return readQuery(echo.New().NewContext(r, httptest.NewRecorder()))
}

func TestQueryArrays(t *testing.T) {
	for _, tc := range []struct {
		query string
		want  []string
	}{
		{"", nil},
		{"labels=", nil},
		{"labels=unread", []string{"unread"}},
		{"labels=unread,starred", []string{"unread", "starred"}},
		{"labels=unread,%20starred,", []string{"unread", "starred"}},
		{"labels=unread&labels=starred", []string{"unread", "starred"}},
		{"labels=%5B%5D", nil},
		{"labels=%5B%22unread%22%2C%22a%20b%22%5D", []string{"unread", "a b"}},
		{"labels=%5B%22a%2Cb%22%5D", []string{"a,b"}},
		{"labels=%5B%22a%22%5D&labels=b", []string{"a", "b"}},
		{"labels=a%2Bb", []string{"a+b"}},
		{"labels=%5Burgent%5D", []string{"[urgent]"}}, // no JSON
		{"labels=%22a%2Cb%22", []string{"a,b"}},
	} {
		q := queryOf(tc.query)
		got := q.list("labels")
		if q.err() != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, %v; want %q", tc.query, got, q.err(), tc.want)
		}
	}
}

func TestQueryFaults(t *testing.T) {
	for _, raw := range []string{
		"limit=0", "limit=-1", "limit=101", "limit=1e1", "limit=ten", "limit=99999999999999999999", "ascending=yes",
		"labels=%5B1%5D", "labels=%5Bnull%5D", "labels=%5B%7B%7D%5D", "labels=" + strings.Repeat("a,", maxFilterValues+1),
		"before=yesterday", "before=2026-01-02T03:04:05", "after=1767323045", "after=2026-13-01", "include_spam=2", "a=%zz", "a=1;b=2",
	} {
		q := queryOf(raw)
		q.filter("from", "to")
		q.page(maxSearchLimit)
		err := q.err()
		if mail.CodeOf(err) != mail.CodeInvalid {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestQueryFilter(t *testing.T) {
	q := queryOf("from=%5B%22ann%22%5D&to=bob&include_spam=true&include_trash=True&after=2026-01-02T04:04:05.678%2B01:00&before=2026-01-03&limit=7&page_token=x&ascending=true&unknown=1")
	f, most := q.filter("from", "to")
	want := mail.MessageFilter{From: []string{"ann"}, To: []string{"bob"}, Include: mail.HiddenSpam | mail.HiddenTrash,
		After: time.Date(2026, 1, 2, 3, 4, 5, 678999000, time.UTC), Before: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)}
	if diff := cmp.Diff(want, f); diff != "" || most != maxSearchLimit {
		t.Error(most, diff)
	}
	if p := q.page(most); p != (mail.Page{Limit: 7, Token: "x", Ascending: true}) || q.err() != nil {
		t.Error(p, q.err())
	}
	f, most = queryOf("senders=a&recipients=b&subject=c").filter("senders", "recipients")
	if diff := cmp.Diff(mail.MessageFilter{Senders: []string{"a"}, Recipients: []string{"b"}, Subject: []string{"c"}}, f); diff != "" || most != maxSearchLimit {
		t.Error(most, diff)
	}
	if _, most := queryOf("labels=a").filter("from", "to"); most != maxPlainLimit {
		t.Error("labels alone are no search", most)
	}
}

func TestMoments(t *testing.T) {
	want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, v := range []string{"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z", "2026-01-02T05:04:05+02:00", "2026-01-02T05:04:05 02:00"} {
		if got, err := parseMoment(v); err != nil || !got.Equal(want) {
			t.Error(v, got, err)
		}
	}
}

// FuzzQueryArrays: nothing panics, and the spelling of the node and Python clients is exact.
func FuzzQueryArrays(f *testing.F) {
	for _, s := range []string{"a", "a,b", `["a"]`, "[", `"`, "null", `[null]`, `[["a"]]`, "\x00", ",,"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		splitList([]string{a, b})
		if !json.Valid([]byte(`"`+a+`"`)) || !json.Valid([]byte(`"`+b+`"`)) {
			return // no text that survives JSON
		}
		array, err := json.Marshal([]string{a, b})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if err := json.Unmarshal(array, &want); err != nil {
			t.Fatal(err)
		}
		q := queryOf("labels=" + url.QueryEscape(string(array)))
		if got := q.list("labels"); q.err() != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", array, got, q.err())
		}
	})
}
