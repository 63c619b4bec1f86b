package parse

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"podmail/mail"
)

// maxAddresses and maxName bound how many addresses of one field are kept, and the bytes of each one's name.
const (
	maxAddresses = 1000
	maxName      = 1000
)

// MissingDomain stands for the host of an address that has none, so that it is not taken for a group marker.
const MissingDomain = "missing-domain.invalid"

// Addresses reads an address field's value (RFC 5322 3.4, and 4.4 as it was once) as well as it can: names in any spelling,
// groups, and junk, of which what looks most like an address is kept.
func Addresses(s string) []mail.Address { return readAddresses(s).list }

// Authors are all whom the fields of a name in a header may be taken to name: their addresses, and those that stand unquoted
// in names, of which some programs show one in place of the address. sure is false if there may be more: something
// with an @ cannot be read in one way only, or there is too much of it.
func Authors(header []byte, name string) (authors []mail.Address, sure bool) {
	sure = true
	for _, f := range rawFields(header) {
		if !strings.EqualFold(f.name, name) {
			continue
		}
		r := readAddresses(unfold(f.value))
		authors = append(append(authors, r.list...), r.aside...)
		if sure = sure && !r.odd; len(authors) > maxAddresses {
			return authors[:maxAddresses], false
		}
	}
	return slices.DeleteFunc(authors, mail.Address.IsGroup), sure
}

// addressReader is what was read of an address field.
type addressReader struct {
	list    []mail.Address
	aside   []mail.Address // in names, unquoted
	odd     bool           // there is an @ that makes no address, or none for sure
	pending []token        // that may be the beginning of a name: Doe, John <…>
}

func readAddresses(s string) (r addressReader) {
	tokens, rest := tokenize(s)
	r.odd = strings.Contains(rest, "@")
	inGroup := false
	for len(tokens) > 0 {
		if len(r.list)+len(r.aside) >= maxAddresses {
			r.odd = r.odd || has(tokens, '@')
			break
		}
		n := untilSeparator(tokens)
		piece, end := tokens[:n], byte(0)
		if tokens = tokens[n:]; len(tokens) > 0 {
			end, tokens = tokens[0].kind, tokens[1:]
		}
		switch {
		case end == ':':
			r.piece(nil)
			r.name(piece)
			r.list = append(r.list, mail.Address{Mailbox: phrase(piece)})
			inGroup = true
			continue
		case end == ',' && !has(piece, '@') && !has(piece, '<'):
			r.pending = append(append(r.pending, piece...), token{kind: ',', text: ","})
			continue
		}
		if r.piece(piece); end == ';' && inGroup {
			r.list = append(r.list, mail.Address{})
			inGroup = false
		}
	}
	if r.piece(nil); inGroup {
		r.list = append(r.list, mail.Address{})
	}
	if len(r.list) > maxAddresses {
		r.list, r.odd = r.list[:maxAddresses], true
	}
	return r
}

// untilSeparator is how many tokens go before the next separator outside of angle brackets.
func untilSeparator(tokens []token) int {
	angle := false
	for i, t := range tokens {
		switch t.kind {
		case '<', '>':
			angle = t.kind == '<'
		case ',', ';', ':':
			if !angle {
				return i
			}
		}
	}
	return len(tokens)
}

// piece reads what stands between two separators: one mailbox, or several that were run together.
func (r *addressReader) piece(tokens []token) {
	if !has(tokens, '<') {
		if has(tokens, '@') { // which a name would not come before
			r.withoutName(r.pending)
			r.pending = nil
		}
		r.withoutName(append(r.pending, tokens...))
		r.pending = nil
		return
	}
	name := r.pending
	for r.pending = nil; has(tokens, '<'); {
		i := slices.IndexFunc(tokens, is('<'))
		name, tokens = append(name, tokens[:i]...), tokens[i:]
		n := 1 + slices.IndexFunc(tokens[1:], func(t token) bool { return t.kind == '<' || t.kind == '>' })
		if n == 0 {
			n = len(tokens)
		}
		inner, closed := tokens[1:n], n
		if n < len(tokens) && tokens[n].kind == '>' {
			closed++
		}
		if rest := tokens[closed:]; !has(inner, '@') && has(rest, '<') { // no address yet: "Alice <Al> of A <alice@a.test>"
			name = append(name, tokens[:closed]...)
		} else {
			r.withName(name, inner)
			name = nil
		}
		tokens = tokens[closed:]
	}
	r.name(append(name, tokens...))
}

// withName reads a name and the address in angle brackets that belongs to it.
func (r *addressReader) withName(name, spec []token) {
	r.name(name)
	if len(spec) > 0 && spec[0].kind == '@' { // a source route (RFC 5322 4.4)
		if i := slices.IndexFunc(spec, is(':')); i >= 0 {
			spec = spec[i+1:]
		}
	}
	first := len(r.list)
	r.list = append(r.list, r.specs(spec)...)
	if len(r.list) == first {
		r.list = append(r.list, mail.Address{Mailbox: written(spec), Host: MissingDomain})
	}
	r.list[first].Name = phrase(name)
}

// withoutName reads an address that stands by itself, its name in a comment, as was once done.
func (r *addressReader) withoutName(tokens []token) {
	if !slices.ContainsFunc(tokens, func(t token) bool { return t.kind != comment && t.kind != ',' }) {
		return
	}
	first := len(r.list)
	r.list = append(r.list, r.specs(tokens)...)
	if len(r.list) == first {
		r.list = append(r.list, mail.Address{Mailbox: written(tokens), Host: MissingDomain})
	}
	for _, t := range tokens {
		if t.kind == comment {
			r.list[first].Name = phrase([]token{{kind: quoted, text: t.text}})
		}
	}
}

// name looks through a name for addresses that are not quoted.
func (r *addressReader) name(tokens []token) {
	if has(tokens, '@') {
		r.aside = append(r.aside, r.specs(tokens)...)
	}
}

// specs finds the addresses local@domain among tokens (RFC 5322 3.4.1). There should be one, and nothing else.
func (r *addressReader) specs(tokens []token) (found []mail.Address) {
	tokens = slices.DeleteFunc(slices.Clone(tokens), is(comment))
	from := 0
	for i, t := range tokens {
		if t.kind != '@' {
			continue
		}
		if len(found) == maxAddresses {
			r.odd = true
			break
		}
		domain, n := domainOf(tokens[i+1:])
		local := localOf(tokens[min(from, i):i])
		if from = i + 1 + n; domain != "" {
			found = append(found, mail.Address{Mailbox: local, Host: domain})
		}
		r.odd = r.odd || domain == "" || from != len(tokens)
	}
	return found
}

// localOf is the local part at the end of tokens: words with dots between them, and what is no word where there is no space.
func localOf(tokens []token) string {
	i := len(tokens)
	for i > 0 && (i == len(tokens) || !tokens[i].space || tokens[i].kind == '.' || tokens[i-1].kind == '.') {
		i--
	}
	var b strings.Builder
	for _, t := range tokens[i:] {
		b.WriteString(t.text)
	}
	text := clean(b.String())
	if has(tokens[i:], quoted) && !mail.IsDotAtom(text) {
		text = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	return text
}

// dots are what stands for a dot in domains of other scripts (RFC 3490 3.1).
var dots = strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".")

// domainOf is the domain at the beginning of tokens, in lower case and without a dot at its end, and how many tokens it takes.
func domainOf(tokens []token) (domain string, n int) {
	if len(tokens) > 0 && tokens[0].kind == literal {
		return strings.ToLower(clean(tokens[0].text)), 1
	}
	var b strings.Builder
	for ; n < len(tokens) && (tokens[n].kind == '.' || tokens[n].kind == atom && (n == 0 || tokens[n-1].kind == '.')); n++ {
		b.WriteString(tokens[n].text)
	}
	return strings.TrimRight(dots.Replace(strings.ToLower(clean(b.String()))), "."), n
}

// phrase is a name as people read it: quotes and encoded words undone.
func phrase(tokens []token) string {
	s := clean(words(joined(tokens)))
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "")
	}
	return s
}

// written is what no address could be made of.
func written(tokens []token) string {
	return clean(joined(slices.DeleteFunc(slices.Clone(tokens), is(comment))))
}

func joined(tokens []token) string {
	var b strings.Builder
	for i, t := range tokens {
		if t.space && i > 0 {
			b.WriteByte(' ')
		}
		switch {
		case t.kind == comment:
			b.WriteString("(" + t.text + ")")
		case t.kind == ',' && i == len(tokens)-1: // of a name that was not gone on with
		default:
			b.WriteString(t.text)
		}
	}
	return b.String()
}

func is(kind byte) func(token) bool { return func(t token) bool { return t.kind == kind } }

func has(tokens []token, kind byte) bool { return slices.ContainsFunc(tokens, is(kind)) }

// clean makes text valid, printable and free of surrounding space.
func clean(s string) string {
	if !utf8.ValidString(s) {
		s = utf8OrLatin([]byte(s))
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, s))
}
