// Package api is the HTTP API: AgentMail's wire contract, translated to the server's verbs and back.
//
// routes.go is its table of contents. One resource is one file, named as in server, and holds the resource's handlers
// and its form on the wire. paths, query and body read what callers send; errors turns what went wrong into answers.
// Nothing is decided here but the shape of requests: who may do what, and what happens then, is server's.
// Listeners, timeouts and request ids are the parent package's.
package api
