package parse

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"podmail/mail"
)

// TestAddressesInEverySpelling has RFC 5322's examples (A.1.2, A.1.3, A.5, A.6), and what is met although it is wrong.
func TestAddressesInEverySpelling(t *testing.T) {
	for value, want := range map[string]string{
		`"Joe Q. Public" <john.q.public@example.com>`:                             `Joe Q. Public <john.q.public@example.com>`,
		`Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>`:           `Mary Smith <mary@x.test> | jdoe@example.org | Who? <one@y.test>`,
		`<boss@nil.test>, "Giant; \"Big\" Box" <sysservices@example.net>`:         `boss@nil.test | Giant; "Big" Box <sysservices@example.net>`,
		`A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;`:        `{A Group} | Ed Jones <c@a.test> | joe@where.test | John <jdoe@one.test> | {}`,
		`Undisclosed recipients:;`:                                                `{Undisclosed recipients} | {}`,
		`Pete(A nice \) chap) <pete(his account)@silly.test(his host)>`:           `Pete(A nice ) chap) <pete@silly.test>`,
		`A Group(Some people):Chris Jones <c@(Chris's host.)public.example>;`:     `{A Group(Some people)} | Chris Jones <c@public.example> | {}`,
		`(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;`:         `{(Empty list)(start)Hidden recipients} | {}`,
		`Joe Q. Public <john.q.public@example.com>`:                               `Joe Q. Public <john.q.public@example.com>`,
		`Mary Smith <@node.test,@b.test:mary@example.net>, , jdoe@test . example`: `Mary Smith <mary@example.net> | jdoe@test.example`,
		`John Doe <jdoe@machine(comment).  example>`:                              `John Doe <jdoe@machine.example>`,
		`jdoe@machine.example (John Doe)`:                                         `John Doe <jdoe@machine.example>`,
		`"x" <ceo@bank.test> (<x@evil.test>)`:                                     `x <ceo@bank.test>`,
		`ceo@bank.test (<x@evil.test>)`:                                           `<x@evil.test> <ceo@bank.test>`,
		`<ceo@bank.test(c)>`:                                                      `ceo@bank.test`,
		`<ceo@(c)bank.test>`:                                                      `ceo@bank.test`,
		"<ceo @\tbank . \r\n test>":                                               `ceo@bank.test`,
		`<ceo@BANK.test.>`:                                                        `ceo@bank.test`,
		`<ceo@bank。test。>`:                                                        `ceo@bank.test`,
		`"a@evil.test"@bank.test`:                                                 `"a@evil.test"@bank.test`,
		`<"a\"<b"@bank.test>, "ceo"@bank.test, a . "b"@c.test`:                    `"a\"<b"@bank.test | ceo@bank.test | a.b@c.test`,
		`a@[127.0.0.1], b@[IPv6:::1]`:                                             `a@[127.0.0.1] | b@[ipv6:::1]`,
		`"x <ceo@bank.test>`:                                                      `"x <ceo@bank.test>`,
		`(x <ceo@bank.test>`:                                                      `(x <ceo@bank.test>`,
		`[x <ceo@bank.test>] <x@evil.test>`:                                       `[x <ceo@bank.test> | ] <x@evil.test>`,
		`CEO <ceo@bank.test`:                                                      `CEO <ceo@bank.test>`,
		`ceo@bank.test x@evil.test`:                                               `ceo@bank.test | x@evil.test`,
		`CEO, Big`:                                                                `CEO, Big@missing-domain.invalid`,
		`joe, jane@x.test`:                                                        `joe@missing-domain.invalid | jane@x.test`,
		`=?utf-8?Q?Doe,_John?= <j@x.test>, =?utf-8?q?ceo=40bank.test?=`:           `Doe, John <j@x.test> | =?utf-8?q?ceo=40bank.test?=@missing-domain.invalid`,
	} {
		var got []string
		for _, a := range Addresses(unfold([]byte(value))) {
			if a.IsGroup() {
				got = append(got, "{"+a.Mailbox+"}")
			} else {
				got = append(got, a.String())
			}
		}
		if text := strings.Join(got, " | "); text != want {
			t.Errorf("%s\nis   %s\nwant %s", value, text, want)
		}
	}
}

func TestAuthors(t *testing.T) {
	for _, c := range []struct {
		value, want string
		sure        bool
	}{
		{`"Ceo@bank.test" <x@evil.test>`, "x@evil.test", true},
		{`x@evil.test (ceo@bank.test)`, "x@evil.test", true},
		{`G: a@x.test, b@y.test;`, "a@x.test b@y.test", true},
		{`G:;`, "", true},
		{``, "", true},
		{`ceo`, "ceo@missing-domain.invalid", true},
		{`CEO ceo@bank.test`, "ceo@bank.test", true},
		{`ceo@bank.test <x@evil.test>`, "x@evil.test ceo@bank.test", true},
		{`<x@evil.test> ceo@bank.test`, "x@evil.test ceo@bank.test", true},
		{`ceo@bank.test: <x@evil.test>`, "x@evil.test ceo@bank.test", true},
		{`<ceo@bank.test> <x@evil.test>`, "ceo@bank.test x@evil.test", true},
		{`ceo@bank.test x@evil.test`, "ceo@bank.test x@evil.test", false},
		{`<ceo@bank.test, x@evil.test`, "ceo@bank.test x@evil.test", false},
		{`x@bank.test@evil.test`, "x@bank.test @evil.test", false},
		{`ceo@bank.test@`, "ceo@bank.test", false},
		{`ceo@bank test`, "ceo@bank", false},
		{`ceo@"bank.test"`, "ceo@bank.test@missing-domain.invalid", false},
		{`ceo@`, "ceo@@missing-domain.invalid", false},
		{"x@evil.test\r\nfrom : ceo@bank.test", "x@evil.test ceo@bank.test", true},
		{strings.Repeat("a@evil.test, ", maxAddresses-1) + "ceo@bank.test", strings.Repeat("a@evil.test ", maxAddresses-1) + "ceo@bank.test", true},
		{strings.Repeat("a@evil.test, ", maxAddresses) + "ceo@bank.test", strings.TrimSpace(strings.Repeat("a@evil.test ", maxAddresses)), false},
		{strings.Repeat("a@evil.test\r\nFrom: ", maxAddresses) + "ceo@bank.test", strings.TrimSpace(strings.Repeat("a@evil.test ", maxAddresses)), false},
		{strings.Repeat(". ", maxTokens) + "ceo@bank.test", strings.TrimSuffix(strings.Repeat(". ", maxTokens), " ") + "@" + MissingDomain, false},
	} {
		authors, sure := Authors([]byte("Subject: s@x.test\r\nFrom: "+c.value+"\r\n\r\n"), "From")
		var got []string
		for _, a := range authors {
			got = append(got, a.Addr())
		}
		if text := strings.Join(got, " "); text != c.want || sure != c.sure {
			t.Errorf("%.200s\nis   %.200s %v\nwant %.200s %v", c.value, text, sure, c.want, c.sure)
		}
	}
}

// FuzzAddresses: nothing that has an @ outside of quotes and comments is lost without a word, what is read can be written
// and read again, and nobody waits for it.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{`"x" <ceo@bank.test> (<x@evil.test>)`, `G: a@b, "c d"@[1.2.3.4];`, `<@a,@b:c@d . e.>`, `Doe, J <j@x> k@y`, `=?utf-8?q?a=40b?= <c@d>`, `a@b(`, `"\"@"@x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list := Addresses(s)
		authors, sure := Authors([]byte("From: "+strings.NewReplacer("\r", "", "\n", "").Replace(s)+"\r\n"), "From")
		if len(list) > maxAddresses || len(authors) > maxAddresses {
			t.Fatalf("%d addresses, %d authors", len(list), len(authors))
		}
		if !strings.ContainsAny(s, "\"([") && strings.Contains(s, "@") && len(authors) == 0 && sure {
			t.Fatalf("%q has no author, for sure", s)
		}
		for _, a := range list {
			if !utf8.ValidString(a.Name+a.Mailbox+a.Host) || strings.ContainsAny(a.Name+a.Mailbox+a.Host, "\r\n\x00") || len(a.Name) > maxName {
				t.Fatalf("%q has %#v", s, a)
			}
			if strict, err := Address(a.Addr()); err == nil && a.Host != MissingDomain {
				again := Addresses(fmt.Sprintf("<%s>", a.Addr()))
				if diff := cmp.Diff([]mail.Address{{Mailbox: strict.Mailbox, Host: strings.TrimRight(strict.Host, ".")}}, again); diff != "" {
					t.Fatalf("%q: %s", s, diff)
				}
			}
		}
	})
}
