package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podmail/mail"
)

func mustParse(t *testing.T, body string) *object {
	t.Helper()
	o, err := parseBody([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestBodyThreeStates(t *testing.T) {
	o := mustParse(t, ` {"null": null, "text": "x", "empty": "", "object": {}, "Text": "other"}`)
	if o.has("absent") || o.isNull("absent") || o.optionalText("absent") != nil {
		t.Error("absent")
	}
	if !o.has("null") || !o.isNull("null") || o.optionalText("null") != nil || o.texts("null") != nil {
		t.Error("null")
	}
	if p := o.optionalText("empty"); p == nil || *p != "" {
		t.Error("empty")
	}
	if o.text("text") != "x" || !o.isObject("object") || o.isObject("null") || o.isObject("absent") {
		t.Error("values")
	}
	if o.err() != nil {
		t.Error(o.err())
	}
	for _, missing := range []string{"", " \r\n\t", "{}"} {
		if mustParse(t, missing).has("x") {
			t.Error(missing)
		}
	}
}

func TestBodyValues(t *testing.T) {
	o := mustParse(t, `{"one":"a","many":["a","b"],"none":[],"map":{"k":"v"},"md":{"s":"x","n":1.5,"b":true,"z":null},
		"permissions":{"inbox_read":true,"pod_read":false,"message_read":null},"files":[{"filename":"f"},{}],"yes":true}`)
	if !slices.Equal(o.texts("one"), []string{"a"}) || !slices.Equal(o.texts("many"), []string{"a", "b"}) || len(o.texts("none")) != 0 || !o.flag("yes") {
		t.Error("texts")
	}
	if diff := cmp.Diff(map[string]string{"k": "v"}, o.textMap("map")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"s": "x", "n": 1.5, "b": true, "z": nil}, o.scalars("md", true)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(mail.Permissions{"inbox_read": true, "pod_read": false, "message_read": false}, o.permissions()); diff != "" {
		t.Error(diff)
	}
	if files := o.objects("files"); len(files) != 2 || files[0].text("filename") != "f" {
		t.Error("files")
	}
	if o.err() != nil {
		t.Error(o.err())
	}
	if o.scalars("md", false); o.err() == nil {
		t.Error("a null value is metadata of updates only")
	}
}

func TestBodyFaults(t *testing.T) {
	for body, want := range map[string]string{
		`{"to":1}`:                          `[{"code":"invalid_type","expected":"array","path":["to"],"message":"expected array, received number"}]`,
		`{"to":["a",{}]}`:                   `[{"code":"invalid_type","expected":"string","path":["to","1"],"message":"expected string, received object"}]`,
		`{"subject":[]}`:                    `[{"code":"invalid_type","expected":"string","path":["subject"],"message":"expected string, received array"}]`,
		`{"headers":{"X":2}}`:               `[{"code":"invalid_type","expected":"string","path":["headers","X"],"message":"expected string, received number"}]`,
		`{"attachments":[1]}`:               `[{"code":"invalid_type","expected":"object","path":["attachments","0"],"message":"expected object, received number"}]`,
		`{"attachments":[{"content":"*"}]}`: `[{"code":"invalid_format","expected":"base64","path":["attachments","0","content"],"message":"is not base64"}]`,
		`{"attachments":[{}]}`:              `[{"code":"custom","path":["attachments","0"],"message":"either content or url must be given"}]`,
	} {
		o := mustParse(t, body)
		o.texts("to")
		o.text("subject")
		o.textMap("headers")
		for _, f := range o.objects("attachments") {
			f.newAttachment()
		}
		if got := faults(t, o.err()); got != want {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
	for _, body := range []string{"{", "[]", "null", `"x"`, "1", "{} {}", `{"a":1,}`, "\x00", "{'a':1}", strings.Repeat("[", 20000), strings.Repeat(`{"a":`, 20000)} {
		if _, err := parseBody([]byte(body)); mail.CodeOf(err) != mail.CodeInvalid {
			t.Errorf("%.20q: %v", body, err)
		}
	}
	many := mustParse(t, `{"to":[`+strings.Repeat("1,", 5000)+`1]}`)
	if many.texts("to"); len(*many.problems) != maxProblems {
		t.Error("faults are not bounded", len(*many.problems))
	}
}

func faults(t *testing.T, err error) string {
	t.Helper()
	e, ok := err.(*mail.Error)
	if !ok || e.Code != mail.CodeInvalid {
		t.Fatalf("no validation error: %v", err)
	}
	b, err := json.Marshal(fieldErrors(e))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestClientID(t *testing.T) {
	for id, ok := range map[string]bool{"a": true, "A-z.0_9~": true, strings.Repeat("x", 256): true,
		"": false, "a@b": false, "a b": false, "a/b": false, "é": false, strings.Repeat("x", 257): false} {
		o := &object{fields: map[string]json.RawMessage{"client_id": json.RawMessage(`"` + id + `"`)}, problems: &problems{}}
		if o.clientID(); (o.err() == nil) != ok {
			t.Errorf("%.10q: %v", id, o.err())
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"to":["a"],"attachments":[{"content":"AA==","url":null}],"headers":{"a":"b"},"metadata":{"a":null},"permissions":{"a":true}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseBody(b)
		if err != nil {
			return
		}
		o.texts("to")
		o.textMap("headers")
		o.scalars("metadata", true)
		o.permissions()
		o.clientID()
		o.messageIDs(maxBatchGet)
		for _, a := range o.objects("attachments") {
			a.newAttachment()
		}
		if err := o.err(); err != nil && mail.CodeOf(err) != mail.CodeInvalid {
			t.Error(err)
		}
	})
}
