// Package web is the HTTP door. It assembles its children into one server: listeners, timeouts, request ids, contained
// panics and the router stand here; web/api answers the API's requests. It decides nothing: the verbs are server's.
package web
