package sqlite

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"podmail/mail"
)

// Tables says, for each table, which column binds it to a pod and which to an inbox. Inbox is empty for tables whose
// rows belong to no inbox.
type Tables map[string]Columns

// Columns are the binding columns of one table.
type Columns struct{ Pod, Inbox string }

// Schema compiles statements over tables and remembers them.
type Schema struct {
	tables     Tables
	statements []*Statement
}

// NewSchema returns a Schema of these tables. Statements are compiled while the program starts, by one goroutine.
func NewSchema(t Tables) *Schema { return &Schema{tables: t} }

// Statements are all that were compiled, for tests that look at query plans.
func (t *Schema) Statements() []*Statement { return t.statements }

// Declares tells whether the table's scope columns are known.
func (t *Schema) Declares(table string) bool {
	_, ok := t.tables[table]
	return ok
}

// Statement is one SQL text in the forms it takes under an organization, a pod and an inbox.
type Statement struct {
	text   string
	params int // how many arguments the caller gives
	forms  [3]form
}

type form struct {
	sql   string
	bound int // how many of (pod, inbox) follow the caller's arguments
	err   error
}

const (
	formOrganization = iota
	formPod
	formInbox
)

func formOf(s mail.Scope) int {
	switch s.Type() {
	case mail.ScopeInbox:
		return formInbox
	case mail.ScopePod:
		return formPod
	default:
		return formOrganization
	}
}

var (
	markPattern  = regexp.MustCompile(`\{(scope|shared|exact|above) ([a-z_]+)\}|\{(pod|inbox|own_pod|own_inbox|organization)\}`)
	tablePattern = regexp.MustCompile(`(?i)\b(from|join|update|into)\s+([a-z_]+)`)
	aliasPattern = regexp.MustCompile(`(?i)^\s+(?:as\s+)?([a-z_]+)`)
	ctePattern   = regexp.MustCompile(`(?i)(?:\bwith(?:\s+recursive)?|,)\s+([a-z_]+)\s*(?:\([a-z_, ]*\))?\s+as\s*(?:not\s+materialized\s*|materialized\s*)?\(`)
	limitPattern = regexp.MustCompile(`(?i)\bLIMIT \?\d+`)
	paramPattern = regexp.MustCompile(`\?(\d*)`)
)

// keywords that may follow a table's name and are no alias.
var notAlias = map[string]bool{"where": true, "on": true, "set": true, "join": true, "left": true, "inner": true, "cross": true,
	"order": true, "group": true, "limit": true, "values": true, "select": true, "indexed": true, "returning": true,
	"natural": true, "union": true, "not": true, "default": true, "using": true, "and": true, "having": true}

// Compile makes a Statement of SQL with marks:
//
//	{scope a}   binds alias or table a to the handle's pod and inbox; true under the organization
//	{shared a}  the same, but rows without a pod (those that belong to all pods) are let through
//	{exact a}   binds a to rows of the very scope: under a pod not those of its inboxes, under the organization no pod's
//	{above a}   the same, and rows of the wider scopes: what applies to the handle's scope
//	{pod}       the handle's pod, as a value; such a statement has no organization form
//	{inbox}     the handle's inbox, as a value; such a statement has an inbox form only
//	{own_pod}, {own_inbox}  the same, but NULL under a wider scope
//	{organization}  true; such a statement has an organization form only
//
// Parameters are ?1, ?2, … or all plain ?. It panics if a table is bound by no mark: statements are compiled when the
// program starts, so one that could reach over a pod's border stops it there.
func (t *Schema) Compile(text string) *Statement {
	s := &Statement{text: text}
	aliases := t.aliases(text)
	params := 0
	numbered := paramPattern.ReplaceAllStringFunc(text, func(p string) string {
		if p != "?" {
			n, _ := strconv.Atoi(p[1:])
			params = max(params, n)
			return p
		}
		params++
		return "?" + strconv.Itoa(params)
	})
	s.params = params
	for f := range s.forms {
		s.forms[f] = t.form(numbered, aliases, params, f)
	}
	t.statements = append(t.statements, s)
	return s
}

// aliases finds every table the statement names and by what name, and checks that a mark binds each.
func (t *Schema) aliases(text string) map[string]Columns {
	ctes := map[string]bool{}
	for _, m := range ctePattern.FindAllStringSubmatch(text, -1) {
		ctes[strings.ToLower(m[1])] = true
	}
	marked := map[string]bool{}
	values := map[string]bool{}
	for _, m := range markPattern.FindAllStringSubmatch(text, -1) {
		marked[m[2]] = true
		values[m[3]] = true
	}
	aliases := map[string]Columns{}
	for _, at := range tablePattern.FindAllStringSubmatchIndex(text, -1) {
		verb, table, rest := strings.ToLower(text[at[2]:at[3]]), text[at[4]:at[5]], text[at[1]:]
		alias := ""
		if m := aliasPattern.FindStringSubmatch(rest); m != nil && !notAlias[strings.ToLower(m[1])] {
			alias, rest = m[1], rest[len(m[0]):]
		}
		if verb == "from" && strings.HasPrefix(strings.TrimSpace(rest), ",") {
			panic(fmt.Sprintf("sqlite: say JOIN, not a comma: %s", text))
		}
		if ctes[strings.ToLower(table)] || table == "json_each" || (verb == "update" && strings.EqualFold(table, "set")) {
			continue
		}
		cols, ok := t.tables[table]
		if !ok {
			panic(fmt.Sprintf("sqlite: table %s is not declared: %s", table, text))
		}
		if alias == "" {
			alias = table
		}
		aliases[alias] = cols
		insertsOwn := verb == "into" && (values["pod"] || values["inbox"] || values["own_pod"] || values["organization"])
		if !marked[alias] && !values["organization"] && !insertsOwn && cols != (Columns{}) {
			panic(fmt.Sprintf("sqlite: no mark binds %s to a scope: %s", alias, text))
		}
	}
	return aliases
}

func (t *Schema) form(text string, aliases map[string]Columns, params, f int) (out form) {
	pod, inbox := unseen("?"+strconv.Itoa(params+1)), unseen("?"+strconv.Itoa(params+2))
	bind := func(n int) {
		out.bound = max(out.bound, n)
	}
	out.sql = markPattern.ReplaceAllStringFunc(text, func(mark string) string {
		m := markPattern.FindStringSubmatch(mark)
		switch m[3] {
		case "pod":
			if f == formOrganization {
				out.err = fmt.Errorf("needs the scope of a pod: %s", text)
			}
			bind(1)
			return pod
		case "own_pod":
			if f == formOrganization {
				return "NULL"
			}
			bind(1)
			return pod
		case "own_inbox":
			if f != formInbox {
				return "NULL"
			}
			bind(2)
			return inbox
		case "organization":
			if f != formOrganization {
				out.err = fmt.Errorf("needs the scope of the organization: %s", text)
			}
			return "1"
		case "inbox":
			if f != formInbox {
				out.err = fmt.Errorf("needs the scope of an inbox: %s", text)
			}
			bind(2)
			return inbox
		}
		cols, ok := aliases[m[2]]
		if !ok {
			panic(fmt.Sprintf("sqlite: mark %s names no table: %s", mark, text))
		}
		if m[1] == "exact" || m[1] == "above" {
			bind(f) // the forms count what they bind
			return applying(m[1] == "above", m[2]+"."+cols.Pod, m[2]+"."+cols.Inbox, pod, inbox, f)
		}
		if f == formOrganization {
			return "1"
		}
		bind(1)
		sql := m[2] + "." + cols.Pod + " = " + pod
		if m[1] == "shared" {
			return "(" + sql + " OR " + m[2] + "." + cols.Pod + " IS NULL)"
		}
		if f == formInbox && cols.Inbox != "" {
			bind(2)
			sql += " AND " + m[2] + "." + cols.Inbox + " = " + inbox
		}
		return sql
	})
	out.sql = limitPattern.ReplaceAllStringFunc(out.sql, func(limit string) string {
		return limit[:len("LIMIT ")] + unseen(limit[len("LIMIT "):])
	})
	return out
}

// unseen is a parameter that holds an integer, hidden from the planner. Where it sees one it asks whether that is 0 or 1,
// and has SQLite prepare the statement anew each time when that changes: for every other pod than the first.
func unseen(parameter string) string { return "(" + parameter + "|0)" }

// applying is the condition of {exact} and {above} over a table's scope columns.
func applying(above bool, podColumn, inboxColumn, pod, inbox string, f int) string {
	sql := inboxColumn + " IS NULL"
	if f == formInbox {
		sql = inboxColumn + " = " + inbox
		if above {
			sql = "(" + inboxColumn + " IS NULL OR " + sql + ")"
		}
	}
	if f == formOrganization {
		return podColumn + " IS NULL AND " + sql
	}
	sql = podColumn + " = " + pod + " AND " + sql
	if above {
		return "(" + podColumn + " IS NULL OR " + sql + ")"
	}
	return sql
}

// Forms returns the SQL of the pod and the inbox form, for tests that look at query plans; a form that the statement
// does not have is left out.
func (s *Statement) Forms() map[mail.ScopeType]string {
	out := map[mail.ScopeType]string{}
	for f, name := range map[int]mail.ScopeType{formPod: mail.ScopePod, formInbox: mail.ScopeInbox} {
		if s.forms[f].err == nil {
			out[name] = s.forms[f].sql
		}
	}
	return out
}

// String is the statement as it was written.
func (s *Statement) String() string { return s.text }
