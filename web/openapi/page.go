package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// section is a resource on the page.
type section struct {
	Name       string
	Operations []*entry
}

// entry is an operation on the page, with every path at which it is mounted.
type entry struct {
	ID, Summary, Method, Body, Answer string
	Paths, Query, Permissions         []string
}

// shape is a schema on the page.
type shape struct {
	Name   string
	Text   template.HTML // what it is, if it is no object
	Fields []field
}

type field struct {
	Name     string
	Type     template.HTML
	Required bool
}

// Page is the page for people: every operation once, with its paths, and every schema.
func Page(origin string, routes []Route) ([]byte, error) {
	all, err := describeAll(routes)
	if err != nil {
		return nil, err
	}
	shapes, err := shapes()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = pageTemplate.Execute(&b, struct {
		Origin   string
		Sections []section
		Shapes   []shape
	}{origin, sections(all), shapes})
	return b.Bytes(), err
}

func sections(all []described) (out []section) {
	entries := map[string]*entry{}
	byName := map[string]*section{}
	for _, d := range all {
		e := entries[d.id]
		if e == nil {
			e = &entry{ID: d.id, Summary: d.summary, Method: d.Method, Body: d.body, Answer: d.answer, Query: strings.Fields(d.query), Permissions: d.permissions()}
			entries[d.id] = e
			name := d.resource()
			if byName[name] == nil {
				byName[name] = &section{Name: name}
			}
			byName[name].Operations = append(byName[name].Operations, e)
		}
		e.Paths = append(e.Paths, braced(d.Path))
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, *byName[name])
	}
	return out
}

func shapes() (out []shape, err error) {
	var all map[string]struct {
		Properties map[string]object
		Required   []string
	}
	var whole map[string]object
	if err := json.Unmarshal(schemas, &all); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(schemas, &whole); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := shape{Name: name}
		for _, p := range slices.Sorted(maps.Keys(all[name].Properties)) {
			s.Fields = append(s.Fields, field{p, typeText(all[name].Properties[p]), slices.Contains(all[name].Required, p)})
		}
		if s.Fields == nil {
			s.Text = typeText(whole[name])
		}
		out = append(out, s)
	}
	return out, nil
}

// typeText words a schema of our own. Its names are constants of the program, and are escaped all the same.
func typeText(s object) template.HTML {
	escape := template.HTMLEscapeString
	list := func(of any, separator string) template.HTML {
		var texts []string
		items, _ := of.([]any)
		for _, i := range items {
			if o, ok := i.(object); ok {
				texts = append(texts, string(typeText(o)))
			} else {
				texts = append(texts, escape(fmt.Sprint(i)))
			}
		}
		return template.HTML(strings.Join(texts, separator))
	}
	switch {
	case s["$ref"] != nil:
		name := escape(strings.TrimPrefix(s["$ref"].(string), schemaPath))
		return template.HTML(`<a href="#` + name + `">` + name + `</a>`)
	case s["anyOf"] != nil:
		return list(s["anyOf"], " or ")
	case s["enum"] != nil:
		return list(s["enum"], " | ")
	case s["const"] != nil:
		return template.HTML(escape(fmt.Sprintf("%q", s["const"])))
	case s["type"] == "array":
		return "list of " + typeText(s["items"].(object))
	case s["additionalProperties"] != nil:
		if of, ok := s["additionalProperties"].(object); ok {
			return "map of " + typeText(of)
		}
		return "object"
	case s["format"] == "date-time":
		return "time"
	case s["type"] == nil:
		return "anything"
	default:
		return template.HTML(escape(fmt.Sprint(s["type"])))
	}
}
