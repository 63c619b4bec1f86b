package mail

import "testing"

func TestCanonicalAddress(t *testing.T) {
	for address, want := range map[string]string{
		" <Joe@Example.ORG> ":   "joe@example.org",
		`"Joe"@example.org`:     "joe@example.org",
		`"j\o\e.x"@example.org`: "joe.x@example.org",
		`"jörg"@example.org`:    "jörg@example.org",
		`"joe smith"@x.test`:    `"joe smith"@x.test`,
		`"joe\ smith"@x.test`:   `"joe smith"@x.test`,
		`".joe"@x.test`:         `".joe"@x.test`,
		`"a@b"@x.test`:          `"a@b"@x.test`,
		`"a\"b\\c"@x.test`:      `"a\"b\\c"@x.test`,
		`""@x.test`:             `""@x.test`,
		`"@x.test`:              `"@x.test`,
		"x.test":                "x.test",
		"":                      "",
	} {
		if got := CanonicalAddress(address); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
}
