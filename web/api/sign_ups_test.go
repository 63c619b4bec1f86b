package api_test

import (
	"testing"

	"podmail/web"
)

// TestSignUp: shapes of what goes in and out, and how often one address may knock.
func TestSignUp(t *testing.T) {
	d := openDoor(t, web.Limits{})
	off := d.call(t, "", "POST", "/v0/agent/sign-up", `{"human_email":"zoe@example.org","username":"x"}`)
	if off.status != 403 || off.get(t, "code") != "forbidden" {
		t.Errorf("off: %d %s", off.status, off.body)
	}
	last := 0
	for i := 0; i < 20 && last != 429; i++ {
		last = d.call(t, "", "POST", "/v0/agent/sign-up", `{"human_email":"zoe@example.org","username":"x"}`).status
	}
	if last != 429 {
		t.Errorf("the twentieth knock: %d", last)
	}
	play(t, []step{
		{as: "", do: "POST /v0/agent/sign-up", body: `{"human_email":1}`, status: 400, has: []string{`"path":["human_email"]`}},
		{as: "pod", do: "POST /v0/agent/verify", body: `{"otp_code":"123456"}`, status: 404, has: []string{"Sign-up not found"}},
		{as: "org", do: "POST /v0/agent/verify", body: `{"otp_code":"123456"}`, status: 404},
		{as: "", do: "POST /v0/agent/verify", body: `{"otp_code":"123456"}`, status: 401},
	})
}
