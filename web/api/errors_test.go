package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"podmail/mail"
)

func TestErrorAnswers(t *testing.T) {
	var logged strings.Builder
	a := &API{errors: newErrorTable(), log: slog.New(slog.NewTextHandler(&logged, nil)), docs: "http://x/docs/errors"}
	for _, tc := range []struct {
		err    error
		status int
		body   string
	}{
		{mail.NotFound("Inbox"), 404, `{"name":"NotFoundError","code":"not_found","message":"Inbox not found","docs":"http://x/docs/errors#not_found"}`},
		{fmt.Errorf("wrapped: %w", mail.Invalid("name", "is <odd>")), 400,
			`{"name":"ValidationError","code":"validation_error","message":"name: is <odd>","errors":[{"code":"custom","path":["name"],"message":"is <odd>"}],"docs":"http://x/docs/errors#validation_error"}`},
		{mail.Errorf(mail.CodeInvalid, "bad"), 400,
			`{"name":"ValidationError","code":"validation_error","message":"bad","errors":[{"code":"custom","path":[],"message":"bad"}],"docs":"http://x/docs/errors#validation_error"}`},
		{mail.Errorf(mail.CodeForbidden, "taken").WithReason(mail.ReasonResourceTaken).WithFix("Choose."), 403,
			`{"name":"IsTakenError","code":"resource_taken","message":"taken","fix":"Choose.","docs":"http://x/docs/errors#resource_taken"}`},
		{mail.Errorf(mail.CodeInvalid, "no").WithReason(mail.ReasonUnprocessable), 422,
			`{"name":"UnprocessableError","code":"unprocessable","message":"no","docs":"http://x/docs/errors#unprocessable"}`},
		{mail.Errorf(mail.CodeRateLimited, "slow"), 429, `{"name":"RateLimitError","code":"rate_limit_exceeded","message":"slow","docs":"http://x/docs/errors#rate_limit_exceeded"}`},
		{&mail.Error{Code: mail.CodeUnavailable, Message: "busy", Err: errors.New("SECRET")}, 503,
			`{"name":"ServiceUnavailableError","code":"service_unavailable","message":"busy","docs":"http://x/docs/errors#service_unavailable"}`},
		{echo.ErrMethodNotAllowed, 405, `{"name":"MethodNotAllowedError","code":"method_not_allowed","message":"The endpoint does not have this method.","docs":"http://x/docs/errors#method_not_allowed"}`},
		{errors.New("SECRET"), 500, `{"name":"InternalError","code":"internal_error","message":"The server failed to answer. Its operator finds the details in the log under request id T1.","docs":"http://x/docs/errors#internal_error"}`},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		a.Fail(w, r.WithContext(mail.WithTrace(r.Context(), "T1")), tc.err)
		if w.Code != tc.status || strings.TrimSpace(w.Body.String()) != tc.body {
			t.Errorf("%v: %d %s", tc.err, w.Code, w.Body)
		}
		if retry := w.Header().Get("Retry-After"); (tc.status == 429 || tc.status == 503) != (retry != "") {
			t.Errorf("%d: Retry-After %q", tc.status, retry)
		}
	}
	if strings.Count(logged.String(), "SECRET") != 2 || !strings.Contains(logged.String(), "trace=T1") {
		t.Error("the log lacks what peers are not told:", logged.String())
	}
}

// Every reason and code of the vocabulary has its answer.
func TestErrorTableIsWhole(t *testing.T) {
	table := newErrorTable()
	for reason, ans := range table.byReason {
		if string(reason) != ans.Code || ans.Name == "" || ans.Meaning == "" || ans.Status < 400 {
			t.Error(reason, ans)
		}
	}
	for _, c := range []mail.Code{mail.CodeInvalid, mail.CodeUnauthenticated, mail.CodeForbidden, mail.CodeNotFound, mail.CodeConflict,
		mail.CodeTooLarge, mail.CodeQuota, mail.CodeRateLimited, mail.CodeUnavailable} {
		if ans := table.byCode[c]; ans.Name == "" || ans.Meaning == "" || ans.Status < 400 {
			t.Error(c, ans)
		}
	}
}

func TestTimestamps(t *testing.T) {
	var v struct {
		A timestamp `json:"a"`
		B timestamp `json:"b,omitzero"`
	}
	t0, err := parseMoment("2026-01-02T05:04:05.678999+02:00")
	if err != nil {
		t.Fatal(err)
	}
	v.A = timestamp(t0)
	if b, err := json.Marshal(v); err != nil || string(b) != `{"a":"2026-01-02T03:04:05.678Z"}` {
		t.Error(string(b), err)
	}
}
