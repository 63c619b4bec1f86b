package api

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

// errorsPath is where the docs links of errors lead, each to the heading of its code.
const errorsPath = "/docs/errors"

// explainErrors lists every code that the API answers with, from the table that it answers by.
func (a *API) explainErrors(c echo.Context) error {
	all := []errorAnswer{a.errors.method, a.errors.internal}
	for _, e := range a.errors.byReason {
		all = append(all, e)
	}
	for _, e := range a.errors.byCode {
		all = append(all, e)
	}
	slices.SortFunc(all, func(x, y errorAnswer) int {
		return cmp.Or(cmp.Compare(x.Status, y.Status), cmp.Compare(x.Code, y.Code))
	})
	var b bytes.Buffer
	b.WriteString("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Errors</title>\n<h1>Errors</h1>\n" +
		"<p>Every error has a <code>code</code> to branch on, a <code>message</code>, and often a <code>fix</code>: what to do next.</p>\n")
	for _, e := range all { // constants all, nothing to escape
		fmt.Fprintf(&b, "<h2 id=\"%s\">%s</h2>\n<p>%d %s. %s</p>\n", e.Code, e.Code, e.Status, http.StatusText(e.Status), e.Meaning)
	}
	return c.HTMLBlob(http.StatusOK, b.Bytes())
}
