package scram

import (
	"encoding/base64"
	"errors"
	"testing"
)

// TestTheExampleOfRFC7677 is its section 3, whose client and server nonces and salt are these.
func TestTheExampleOfRFC7677(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	v, err := Derive("pencil", salt)
	if err != nil {
		t.Fatal(err)
	}
	var c Conversation
	challenge, err := c.First("n,,n=user,r=rOprNGfwEbeRWgbNEkqO", false, nil, salt, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
	if err != nil || challenge != "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096" || c.User != "user" {
		t.Fatal(challenge, c.User, err)
	}
	const final = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	if err := c.Final(final); err != nil || !c.Proves(v) {
		t.Fatal(err, c.Proves(v))
	}
	if got := c.Success(v); got != "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" {
		t.Error(got)
	}
	if other, _ := Derive("pencils", salt); c.Proves(other) {
		t.Error("another secret is proved too")
	}
}

func TestFirstMessages(t *testing.T) {
	bindings := []Binding{{"tls-exporter", []byte("bytes")}}
	for _, c := range []struct {
		message  string
		plus     bool
		bindings []Binding
		user, as string
		err      error
	}{
		{"n,,n=a=2Cb=3Dc,r=x", false, nil, "a,b=c", "", nil},
		{"y,,n=user,r=x", false, nil, "user", "", nil},
		{"n,a=other,n=user,r=x", false, bindings, "user", "other", nil},
		{"p=tls-exporter,,n=user,r=x", true, bindings, "user", "", nil},
		{"y,,n=user,r=x", false, bindings, "", "", ErrBinding}, // a downgrade
		{"p=tls-unique,,n=user,r=x", true, bindings, "", "", ErrBinding},
		{"p=tls-exporter,,n=user,r=x", false, bindings, "", "", ErrBinding},
		{"n,,n=user,r=x", true, bindings, "", "", ErrBinding},
		{"n,,m=ext,n=user,r=x", false, nil, "", "", errMalformed},
		{"n,,n=us=er,r=x", false, nil, "", "", errMalformed},
		{"n,,n=,r=x", false, nil, "", "", errMalformed},
		{"n,,n=user,r=", false, nil, "", "", errMalformed},
		{"n,,n=user", false, nil, "", "", errMalformed},
		{"z,,n=user,r=x", false, nil, "", "", errMalformed},
		{"n,", false, nil, "", "", errMalformed},
		{"", false, nil, "", "", errMalformed},
	} {
		var conversation Conversation
		_, err := conversation.First(c.message, c.plus, c.bindings, []byte("salt"), "y")
		if !errors.Is(err, c.err) || err == nil && (conversation.User != c.user || conversation.As != c.as) {
			t.Errorf("%q: %q as %q, %v", c.message, conversation.User, conversation.As, err)
		}
	}
}

// FuzzConversation wants that nobody gets in without the secret, whatever he says.
func FuzzConversation(f *testing.F) {
	f.Add("n,,n=user,r=x", "c=biws,r=xy,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
	f.Add("p=tls-exporter,a=b,n=user,r=x", "c=,r=,p=")
	v, err := Derive("pencil", []byte("salt"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, final string) {
		for _, plus := range []bool{false, true} {
			var c Conversation
			if _, err := c.First(first, plus, []Binding{{"tls-exporter", []byte("b")}}, []byte("salt"), "y"); err != nil {
				continue
			}
			if err := c.Final(final); err == nil && c.Proves(v) {
				t.Errorf("%q, %q: in", first, final)
			}
		}
	})
}
