package api

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"podmail/mail"
)

// SplitPaths lets next route on the escaped path as the client spelled it, each id in one segment. Clients differ
// (contract: semantics.md, "Path ids"): some escape everything, some leave + @ = raw, and Python puts ids in raw, so
// that a message id may bring slashes of its own.
func SplitPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not EscapedPath: once a raw < is in it, that would encode anew from the decoded path, where %2F is lost.
		path := r.URL.RawPath
		if path == "" {
			path = r.URL.EscapedPath()
		}
		u := *r.URL
		u.RawPath = joinMessageID(path)
		r.URL = &u
		next.ServeHTTP(w, r)
	})
}

// joinMessageID escapes the slashes inside a message id of an escaped path, up to the longest tail that names
// something of the message.
func joinMessageID(path string) string {
	inbox, ok := strings.CutPrefix(path, "/v0/inboxes/")
	if !ok {
		return path
	}
	_, rest, _ := strings.Cut(inbox, "/")
	rest, ok = strings.CutPrefix(rest, "messages/")
	if !ok {
		return path
	}
	id := rest[:len(rest)-len(messageTail(rest))]
	if strings.IndexByte(id, '/') < 0 {
		return path
	}
	return path[:len(path)-len(rest)] + strings.ReplaceAll(id, "/", "%2F") + rest[len(id):]
}

// messageTail is the end of rest that is no longer the message's id: an action, or one of its attachments.
func messageTail(rest string) string {
	last := strings.LastIndexByte(rest, '/')
	if last < 0 {
		return ""
	}
	switch rest[last:] {
	case "/raw", "/authentication", "/deliveries", "/reply", "/reply-all", "/forward":
		return rest[last:]
	}
	bracket := rest[len(rest)-1] == '>' || strings.HasSuffix(rest, "%3E") || strings.HasSuffix(rest, "%3e")
	if head, ok := strings.CutSuffix(rest[:last], "/attachments"); ok && !bracket { // a bracket still ends the id
		return rest[len(head):]
	}
	return ""
}

// pathID reads an id from the path, decoded once; + is never a space. An empty id names nothing.
func pathID(c echo.Context, name string) (string, error) {
	id, err := url.PathUnescape(c.Param(name))
	if err != nil || id == "" {
		return "", mail.NotFound(pathNoun(name))
	}
	return id, nil
}

// pathNoun names the thing as server's not_found does, so that a spelling cannot be told from an absence.
func pathNoun(name string) string {
	switch name {
	case "pod_id":
		return "Pod"
	case "inbox_id":
		return "Inbox"
	case "domain_id":
		return "Domain"
	case "account_id":
		return "Account"
	case "provider_id":
		return "Provider"
	case "api_key_id":
		return "API key"
	case "message_id":
		return "Message"
	case "direction", "type":
		return "List"
	case "entry":
		return "List entry"
	case "draft_id":
		return "Draft"
	case "webhook_id":
		return "Webhook"
	case "delivery_id", "queued_id":
		return "Delivery"
	case "thread_id":
		return "Thread"
	default:
		return "Attachment"
	}
}

// bracketed is the one spelling of a message id, which callers may also give without its angle brackets.
func bracketed(messageID string) string {
	if strings.HasPrefix(messageID, "<") {
		return messageID
	}
	return "<" + messageID + ">"
}
