package scram

import (
	"strings"
	"testing"
)

// TestClient is the exchange of RFC 7677 3.
func TestClient(t *testing.T) {
	c := NewClient("user", "pencil", "rOprNGfwEbeRWgbNEkqO")
	if got := c.First(); got != "n,,n=user,r=rOprNGfwEbeRWgbNEkqO" {
		t.Error(got)
	}
	final, err := c.Final("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
	if want := "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="; final != want || err != nil {
		t.Error(final, err)
	}
	if err := c.Verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="); err != nil {
		t.Error(err)
	}
	for _, final := range []string{"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95H4=", "v=", "", "e=other-error", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="} {
		if err := c.Verify(final); err != ErrServer {
			t.Errorf("%q: %v", final, err)
		}
	}
}

// TestClientKnowsItsServer: both sides agree on names with any characters, and a server with another secret is found out.
func TestClientKnowsItsServer(t *testing.T) {
	for _, secret := range []string{"right", "wrong"} {
		client := NewClient("a=b,c@example.org", "right", "mine")
		v, err := Derive(secret, []byte("salt"))
		if err != nil {
			t.Fatal(err)
		}
		var server Conversation
		challenge, err := server.First(client.First(), false, nil, []byte("salt"), "theirs")
		if err != nil || server.User != "a=b,c@example.org" {
			t.Fatal(server.User, err)
		}
		final, err := client.Final(challenge)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Final(final); err != nil {
			t.Fatal(err)
		}
		if right := secret == "right"; server.Proves(v) != right || (client.Verify(server.Success(v)) == nil) != right {
			t.Errorf("with the secret %q", secret)
		}
	}
}

func TestClientIsCareful(t *testing.T) {
	for challenge, want := range map[string]error{
		"r=minetheirs,s=c2FsdA==,i=4096": nil, "r=minetheirs,s=c2FsdA==,i=4096,x=y": nil,
		"r=minetheirs,s=c2FsdA==,i=4095": ErrWeak, "r=minetheirs,s=c2FsdA==,i=1": ErrWeak, "r=minetheirs,s=c2FsdA==,i=99999999": ErrWeak,
		"r=mine,s=c2FsdA==,i=4096": errMalformed, "r=theirs,s=c2FsdA==,i=4096": errMalformed, "r=minetheirs,s=,i=4096": errMalformed, "r=minetheirs,s=?,i=4096": errMalformed,
		"r=minetheirs,s=c2FsdA==,i=x": errMalformed, "r=minetheirs,s=c2FsdA==": errMalformed, "m=x,r=minetheirs,s=c2FsdA==,i=4096": errMalformed, "e=unknown-user": errMalformed, "": errMalformed,
	} {
		c := NewClient("user", "secret", "mine")
		if final, err := c.Final(challenge); err != want || (err == nil) != strings.Contains(final, ",p=") {
			t.Errorf("%q: %q, %v, want %v", challenge, final, err, want)
		} else if err != nil && c.Verify("v=") == nil {
			t.Errorf("%q: a server was believed that has proved nothing", challenge)
		}
	}
}
