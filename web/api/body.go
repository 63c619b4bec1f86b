package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"podmail/mail"
)

// object is a JSON object of a request's body, read field by field. It tells an absent field from a null one, knows
// where it stands for error messages, and gathers what is wrong in the body's problems. Unknown fields are ignored.
// Null counts as absent except where isNull is asked (contract: semantics.md, "Null is meaningful").
type object struct {
	raw      []byte // of a whole body
	fields   map[string]json.RawMessage
	path     []string
	problems *problems
}

// readBody reads the request's body: a JSON object, whatever its Content-Type. A missing body is {}.
func (a *API) readBody(c echo.Context) (*object, error) {
	r := c.Request()
	if r.ContentLength > a.maxBody {
		return nil, a.bodyTooLarge(r)
	}
	b, err := readAll(http.MaxBytesReader(c.Response(), r.Body, a.maxBody), r.ContentLength)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, a.bodyTooLarge(r)
	}
	if err != nil {
		return nil, &mail.Error{Code: mail.CodeInvalid, Message: "The body could not be read.", Err: err}
	}
	return parseBody(b)
}

// readAll reads r into a buffer of the announced size, or a growing one. The size is announced by the peer, so little
// is taken on trust.
func readAll(r io.Reader, announced int64) ([]byte, error) {
	var b bytes.Buffer
	if announced > 0 {
		b.Grow(int(min(announced, 64<<10)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// bodyTooLarge is the refusal of a body. Much of what is still on its way is read first: a client that is cut off
// while it writes does not see the answer.
func (a *API) bodyTooLarge(r *http.Request) error {
	waits := r.Header.Get("Expect") != "" // for our word, RFC 9110 10.1.1: it has not begun to write
	if !waits && r.ContentLength <= 5*a.maxBody {
		io.CopyN(io.Discard, r.Body, 4*a.maxBody) // best effort: the answer is the same
	}
	return mail.Errorf(mail.CodeTooLarge, "The request's body is larger than %d bytes.", a.maxBody).
		WithFix("Send less at once, or a link instead of the attachment.")
}

func parseBody(b []byte) (*object, error) {
	o := &object{raw: b, problems: &problems{}}
	if len(bytes.TrimLeft(b, " \t\r\n")) == 0 {
		return o, nil
	}
	if err := json.Unmarshal(b, &o.fields); err != nil || o.fields == nil {
		if _, syntax := errors.AsType[*json.SyntaxError](err); syntax {
			o.fail("invalid_json", "", "the body is not valid JSON: "+err.Error())
		} else {
			o.fail("invalid_type", "object", "expected object, received "+kindOf(bytes.TrimLeft(b, " \t\r\n")))
		}
		return nil, o.err()
	}
	return o, nil
}

// err is nil if nothing was wrong so far, else a validation error.
func (o *object) err() error { return o.problems.err() }

// fail notes a problem with the field at path below this object, or with the object itself.
func (o *object) fail(code, expected, message string, path ...string) {
	o.problems.add(code, expected, message, append(append([]string{}, o.path...), path...)...)
}

func (o *object) has(name string) bool    { _, ok := o.fields[name]; return ok }
func (o *object) isNull(name string) bool { return string(o.fields[name]) == "null" }

// given is a field's value; ok is false if it is absent or null.
func (o *object) given(name string) (json.RawMessage, bool) {
	v, ok := o.fields[name]
	return v, ok && string(v) != "null"
}

func (o *object) isObject(name string) bool {
	v, ok := o.given(name)
	return ok && v[0] == '{'
}

// decode reads v into a Go value of the expected kind, or notes the problem.
func (o *object) decode(v json.RawMessage, into any, expected string, path ...string) bool {
	if kindOf(v) != expected || json.Unmarshal(v, into) != nil {
		o.fail("invalid_type", expected, "expected "+expected+", received "+kindOf(v), path...)
		return false
	}
	return true
}

// kindOf names a JSON value's type by its first byte.
func kindOf(v []byte) string {
	switch v[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	default:
		return "number"
	}
}

// text is a string field; empty if absent.
func (o *object) text(name string) (s string) {
	if v, ok := o.given(name); ok {
		o.decode(v, &s, "string", name)
	}
	return s
}

// optionalText is a string field; nil if absent.
func (o *object) optionalText(name string) *string {
	if _, ok := o.given(name); !ok {
		return nil
	}
	s := o.text(name)
	return &s
}

// optionalNumber is a field that holds a whole number; nil if absent.
func (o *object) optionalNumber(name string) *int64 {
	v, ok := o.given(name)
	if !ok {
		return nil
	}
	var n int64
	if !o.decode(v, &n, "number", name) {
		return nil
	}
	return &n
}

// flag is a boolean field; false if absent.
func (o *object) flag(name string) (b bool) {
	if v, ok := o.given(name); ok {
		o.decode(v, &b, "boolean", name)
	}
	return b
}

// items are the elements of an array field.
func (o *object) items(name string) (items []json.RawMessage) {
	if v, ok := o.given(name); ok {
		o.decode(v, &items, "array", name)
	}
	return items
}

// texts is a field that holds an array of strings, or one string for an array of one.
func (o *object) texts(name string) []string {
	v, ok := o.given(name)
	if !ok {
		return nil
	}
	if v[0] == '"' {
		return []string{o.text(name)}
	}
	items := o.items(name)
	out := make([]string, len(items))
	for i, item := range items {
		o.decode(item, &out[i], "string", name, strconv.Itoa(i))
	}
	return out
}

// objects is a field that holds an array of objects.
func (o *object) objects(name string) []*object {
	var out []*object
	for i, item := range o.items(name) {
		child := &object{path: append(append([]string{}, o.path...), name, strconv.Itoa(i)), problems: o.problems}
		if child.decode(item, &child.fields, "object") {
			out = append(out, child)
		}
	}
	return out
}

// entries are the fields of an object field; nil if it is absent.
func (o *object) entries(name string) (fields map[string]json.RawMessage) {
	if v, ok := o.given(name); ok {
		o.decode(v, &fields, "object", name)
	}
	return fields
}

// textMap is a field that holds an object of strings.
func (o *object) textMap(name string) map[string]string {
	fields := o.entries(name)
	if fields == nil {
		return nil
	}
	out := make(map[string]string, len(fields))
	for k, v := range fields {
		var s string
		o.decode(v, &s, "string", name, k)
		out[k] = s
	}
	return out
}

// scalars is a field that holds an object of strings, numbers and booleans; with nulls also of nulls, as nil.
func (o *object) scalars(name string, nulls bool) map[string]any {
	fields := o.entries(name)
	if fields == nil {
		return nil
	}
	out := make(map[string]any, len(fields))
	for k, v := range fields {
		var value any
		kind := kindOf(v)
		if kind == "object" || kind == "array" || kind == "null" && !nulls || json.Unmarshal(v, &value) != nil {
			o.fail("invalid_type", "string, number or boolean", "expected string, number or boolean, received "+kind, name, k)
		}
		out[k] = value
	}
	return out
}

// permissions reads the contract's ApiKeyPermissions; nil if absent or null. What is null in it is not granted.
func (o *object) permissions() mail.Permissions {
	fields := o.entries("permissions")
	if fields == nil {
		return nil
	}
	out := make(mail.Permissions, len(fields))
	for k, v := range fields {
		var granted bool
		if string(v) != "null" {
			o.decode(v, &granted, "boolean", "permissions", k)
		}
		out[mail.Permission(k)] = granted
	}
	return out
}

// moment is a field that is a time: ISO 8601 with a zone; zero if absent.
func (o *object) moment(name string) time.Time {
	v := o.text(name)
	if v == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		o.fail("invalid_format", "", "must be an ISO 8601 time with a zone, such as 2026-01-02T03:04:05.678Z", name)
	}
	return t
}

// object is a field that holds an object; nil if it is absent.
func (o *object) object(name string) *object {
	fields := o.entries(name)
	if fields == nil {
		return nil
	}
	return &object{fields: fields, path: append(append([]string{}, o.path...), name), problems: o.problems}
}

// clientID reads client_id: 1 to 256 characters of A-Z a-z 0-9 - . _ ~ (contract: semantics.md, Organization, pods).
func (o *object) clientID() string {
	id := o.optionalText("client_id")
	if id == nil {
		return ""
	}
	if !isClientID(*id) {
		o.fail("invalid_format", "", "has 1 to 256 characters of A-Z a-z 0-9 - . _ ~", "client_id")
	}
	return *id
}

func isClientID(id string) bool {
	other := func(r rune) bool {
		return !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r))
	}
	return len(id) >= 1 && len(id) <= 256 && !strings.ContainsFunc(id, other)
}
