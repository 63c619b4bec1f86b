// Package openapi describes the API: an OpenAPI 3.1 document for programs and a page for people, both made from the
// routes that are really mounted, the table of operations here, and the schemas beside it. It answers no request of
// the API itself and decides nothing.
package openapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"podmail/mail"
)

// Route is a mounted route, its path parameters written :name.
type Route struct{ Method, Path string }

type object = map[string]any

const schemaPath = "#/components/schemas/"

//go:embed schemas.json
var schemas []byte

// scopes are the prefixes at which a resource may be mounted, the longest first, and what clients put before its name.
var scopes = []struct{ prefix, name string }{
	{"/v0/pods/:pod_id", "pods."}, {"/v0/inboxes/:inbox_id", "inboxes."}, {"/v0", ""},
}

// described is a route with its operation.
type described struct {
	Route
	operation
	scope string // what clients put before the operation's id
}

// describe finds the operation of a route. A path below a scope's prefix may also name the scope's own resource, as
// /v0/pods/:pod_id does; then the wider scope describes it.
func describe(r Route) (described, error) {
	for _, s := range scopes {
		below, ok := strings.CutPrefix(r.Path, s.prefix)
		if !ok {
			continue
		}
		if r.Path == "/v0" {
			below = "/"
		}
		if op, ok := operations[r.Method+" "+below]; ok {
			return described{r, op, s.name}, nil
		}
	}
	return described{}, fmt.Errorf("%s %s is not described in web/openapi/operations.go", r.Method, r.Path)
}

// describeAll describes the routes of the API, in the order of their paths. Routes outside /v0 are not part of it.
func describeAll(routes []Route) (all []described, err error) {
	for _, r := range routes {
		if r.Path != "/v0" && !strings.HasPrefix(r.Path, "/v0/") {
			continue
		}
		d, err := describe(r)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b described) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
	return all, nil
}

// Document is the OpenAPI 3.1 document of the routes. origin is the URL of the HTTP listener without trailing slash. A
// route that the table does not describe is an error.
func Document(origin string, routes []Route) ([]byte, error) {
	all, err := describeAll(routes)
	if err != nil {
		return nil, err
	}
	paths := map[string]object{}
	for _, d := range all {
		path := braced(d.Path)
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path][strings.ToLower(d.Method)] = d.document()
	}
	return json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info":    object{"title": "Podmail", "version": "0", "description": "Pods of inboxes, over HTTP. Wire-compatible with AgentMail's API."},
		"servers": []object{{"url": origin}},
		"paths":   paths,
		"components": object{
			"schemas":         json.RawMessage(schemas),
			"securitySchemes": object{"key": object{"type": "http", "scheme": "bearer", "description": "An API key."}},
		},
		"security": []object{{"key": []string{}}},
	}, "", " ")
}

// braced is a path as OpenAPI writes it.
func braced(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

func (d described) document() object {
	o := object{"operationId": d.scope + d.id, "summary": d.summary, "tags": []string{d.resource()}, "responses": d.responses()}
	if ps := d.permissions(); ps != nil {
		o["x-permissions"] = ps
		o["description"] = "Needs the permission `" + strings.Join(ps, "` and `") + "`."
	}
	if d.open {
		o["security"] = []object{}
	}
	if ps := d.parameters(); ps != nil {
		o["parameters"] = ps
	}
	if d.body != "" && !d.upgrade {
		o["requestBody"] = object{"content": object{"application/json": object{"schema": object{"$ref": schemaPath + d.body}}}}
	}
	return o
}

// permissions are those that a key needs for it.
func (o operation) permissions() (ps []string) {
	for _, p := range []mail.Permission{o.permission, o.also} {
		if p != "" {
			ps = append(ps, string(p))
		}
	}
	return ps
}

// resource is what the operation is about: messages of messages.list.
func (d described) resource() string {
	name, _, _ := strings.Cut(d.id, ".")
	return name
}

func (d described) parameters() (ps []object) {
	for p := range strings.SplitSeq(d.Path, "/") {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			ps = append(ps, object{"name": name, "in": "path", "required": true, "schema": text, "description": pathParameters[name]})
		}
	}
	for _, name := range strings.Fields(d.query) {
		p := object{"name": name, "in": "query", "description": parameters[name].description}
		if schema := parameters[name].schema; schema["type"] == "array" { // one parameter that holds a JSON array
			p["content"] = object{"application/json": object{"schema": schema}}
		} else {
			p["schema"] = schema
		}
		ps = append(ps, p)
	}
	return ps
}

func (d described) responses() object {
	problem := object{"description": "What went wrong, and what to do next.",
		"content": object{"application/json": object{"schema": object{"$ref": schemaPath + "ErrorResponse"}}}}
	switch {
	case d.upgrade:
		return object{"101": object{"description": "A WebSocket: " + d.summary}, "default": problem}
	case d.answer == "":
		return object{"204": object{"description": "Done."}, "default": problem}
	case strings.Contains(d.answer, "/"):
		return object{"200": object{"description": "Done.", "content": object{d.answer: object{}}}, "default": problem}
	default:
		return object{"200": object{"description": "Done.", "content": object{"application/json": object{"schema": object{"$ref": schemaPath + d.answer}}}}, "default": problem}
	}
}
