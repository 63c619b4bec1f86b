package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// SDK is the official npm client with one API key, made strict (sdk/strict.mjs).
type SDK struct {
	t       *testing.T
	in      io.Writer
	answers *bufio.Reader
	used    map[string]bool // methods that succeeded
}

type arg = map[string]any

// Pod, Inbox, … are the client's types, as far as the tests look at them.
type (
	Pod   struct{ PodID, Name, ClientID string }
	Inbox struct{ PodID, InboxID, Email, DisplayName string }
	Key   struct{ APIKeyID, APIKey, Prefix string }
	Sent  struct{ MessageID, ThreadID string }

	Thread struct {
		InboxID, ThreadID, Subject, Preview string
		Labels, Senders, Recipients         []string
		MessageCount                        int
		Messages                            []Message
	}
	Message struct {
		InboxID, ThreadID, MessageID, From, Subject, Text, ExtractedText, InReplyTo string
		To, Labels, References                                                      []string
		Size                                                                        int
		Timestamp                                                                   time.Time
		Attachments                                                                 []Attachment
	}
	Attachment struct {
		AttachmentID, Filename, ContentType, DownloadURL string
		Size                                             int
	}
)

// sdk starts the client with a key.
func (p *Podmail) sdk(key string) *SDK { return newSDK(p.t, p.API, key) }

func newSDK(t *testing.T, url, key string) *SDK {
	t.Helper()
	node := exec.Command("node", "sdk/driver.mjs")
	node.Env = append(os.Environ(), "API_URL="+url, "API_KEY="+key)
	stderr := &transcript{}
	node.Stderr = stderr
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := node.Wait(); err != nil {
			t.Errorf("node: %v", err)
		}
		if stderr.String() != "" { // "Failed to validate" among others
			t.Errorf("the client complains:\n%s", stderr)
		}
	})
	return &SDK{t, in, bufio.NewReader(out), map[string]bool{}}
}

// sdkError is the client's error for an answer that is not a success.
type sdkError struct {
	Type    string
	Status  int
	Body    struct{ Code, Message string }
	Message string
}

func (e *sdkError) Error() string {
	return fmt.Sprintf("%s (status %d, code %s): %s", e.Type, e.Status, e.Body.Code, e.Message)
}

// try calls a method of the client and decodes its result.
func (s *SDK) try(method string, result any, args ...any) error {
	s.t.Helper()
	if args == nil {
		args = []any{}
	}
	line, err := json.Marshal(arg{"method": method, "args": args})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(s.in, "%s\n", line); err != nil {
		s.t.Fatal(err)
	}
	reply, err := s.answers.ReadBytes('\n')
	if err != nil {
		s.t.Fatalf("%s: the client ended: %v", method, err)
	}
	answer := struct {
		Result json.RawMessage
		Error  *sdkError
	}{}
	if err := json.Unmarshal(reply, &answer); err != nil {
		s.t.Fatalf("%s: %v: %s", method, err, reply)
	}
	if answer.Error != nil {
		return answer.Error
	}
	s.used[method] = true
	if result != nil {
		if err := json.Unmarshal(answer.Result, result); err != nil {
			s.t.Fatalf("%s: %v: %s", method, err, reply)
		}
	}
	return nil
}

// call is try for what must succeed.
func (s *SDK) call(method string, result any, args ...any) {
	s.t.Helper()
	if err := s.try(method, result, args...); err != nil {
		s.t.Fatalf("%s: %v", method, err)
	}
}

// refused calls a method that must fail with a status.
func (s *SDK) refused(status int, method string, args ...any) {
	s.t.Helper()
	err := s.try(method, nil, args...)
	if e, ok := err.(*sdkError); !ok || e.Status != status {
		s.t.Errorf("%s: got %v, want status %d", method, err, status)
	}
}

// TestSDKNoticesWrongAnswers proves that the strict client fails where the lax one would not.
func TestSDKNoticesWrongAnswers(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"as the contract has it": `{"pod_id":"p","name":"n","updated_at":"2026-01-01T00:00:00.000Z","created_at":"2026-01-01T00:00:00.000Z"}`,
		"unknown key":            `{"pod_id":"p","name":"n","updated_at":"2026-01-01T00:00:00.000Z","created_at":"2026-01-01T00:00:00.000Z","extra":1}`,
		"missing key":            `{"pod_id":"p","updated_at":"2026-01-01T00:00:00.000Z","created_at":"2026-01-01T00:00:00.000Z"}`,
		"wrong type":             `{"pod_id":"p","name":7,"updated_at":"2026-01-01T00:00:00.000Z","created_at":"2026-01-01T00:00:00.000Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, body)
			}))
			defer fake.Close()
			err := newSDK(t, fake.URL, "am_test").try("pods.get", nil, "p")
			if good := !strings.Contains(body, "extra") && strings.Contains(body, `"name":"n"`); good != (err == nil) {
				t.Errorf("%s: %v", body, err)
			}
		})
	}
}
