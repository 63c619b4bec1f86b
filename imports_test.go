package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The chain is door → server → storage → mail: a room may import those below it, never up, never sideways.
var floors = map[string]int{"mail": 0, "storage": 1, "server": 2, "smtp": 3, "imap": 3, "web": 3, "": 4, "bench": 4, "e2e": 4}

// unreachable says which rooms below a room it goes without all the same: doors never see a transaction, and
// what drives the product from outside imports nothing of it.
var unreachable = map[string][]string{
	"smtp": {"storage"}, "imap": {"storage"}, "web": {"storage"},
	"e2e": {"mail", "storage", "server", "smtp", "imap", "web"},
}

// homes are the only packages, with those below them, where something from outside may be imported.
var homes = []struct {
	imported string // a package, with those below it
	homes    []string
	why      string
}{
	{"modernc.org/sqlite", []string{"storage/sqlite"}, "another engine can stand behind storage"},
	{"database/sql", []string{"storage/sqlite"}, "SQL is storage's, connections are storage/sqlite's"},
	{"net/http", []string{"web", "smtp/deliver", "smtp/scan", "bench"}, "HTTP is the web door's; MTA-STS policies are fetched and rspamd is asked by it"},
	{"github.com/labstack/echo", []string{"web"}, "the HTTP framework is the web door's, and can be changed there"},
	{"golang.org/x/time/rate", []string{"web"}, "how often somebody may knock is the doors'"},
	{"github.com/coder/websocket", []string{"web/stream"}, "WebSockets are web/stream's"},
	{"github.com/emersion/go-smtp", []string{"smtp", "bench"}, "SMTP is the smtp door's"},
	{"github.com/emersion/go-msgauth", []string{"smtp/sign", "smtp/verify"}, "DKIM is signed and verified in one place each"},
	{"github.com/emersion/go-imap", []string{"imap", "bench"}, "IMAP is the imap door's"},
	{"github.com/prometheus/client_golang", []string{"", "server", "smtp/receive", "web/metrics"}, "each door counts for itself; what is counted is shown in one place"},
	{"github.com/pelletier/go-toml", []string{"server/config"}, "settings are read in one place"},
	{"github.com/alecthomas/kong", []string{"", "bench"}, "only the command line parses flags"},
	{"github.com/miekg/dns", []string{"server/dns", "bench"}, "names are looked up behind one seam"},
	{"testing", []string{"server/servertest", "storage/storagetest", "smtp/sign/signtest"}, "tests' tools stay out of the binary"},
}

// withoutIO may not be imported in mail, whose packages turn bytes into nouns and back.
var withoutIO = []string{"os", "net", "net/http", "log", "log/slog", "crypto/rand", "math/rand", "math/rand/v2", "database/sql"}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestImportsPointOneWay(t *testing.T) {
	packages := listPackages(t)
	for _, room := range []string{"mail", "storage", "storage/sqlite", "server", "smtp", "imap", "web"} {
		if !slices.ContainsFunc(packages, func(p goPackage) bool { return p.ImportPath == "podmail/"+room }) {
			t.Errorf("there is no %s: these rules look at another house", room)
		}
	}
	for _, fault := range faults(packages) {
		t.Error(fault)
	}
}

func listPackages(t *testing.T) (packages []goPackage) {
	t.Helper()
	list := exec.Command("go", "list", "-pgo=off", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	out, err := list.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// faults names every import that breaks a rule. Tests must keep to the chain too, but may use any library and look
// into storage.
func faults(packages []goPackage) (found []string) {
	for _, p := range packages {
		at := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "podmail"), "/")
		for _, imported := range p.Imports {
			found = append(found, chainFault(at, imported)...)
			found = append(found, reachFault(at, imported)...)
			found = append(found, libraryFaults(at, imported)...)
		}
		for _, imported := range append(p.TestImports, p.XTestImports...) {
			for _, fault := range chainFault(at, imported) {
				found = append(found, "a test of "+fault)
			}
		}
	}
	return found
}

// roomOf is the top-level folder of one of our packages.
func roomOf(path string) string {
	room, _, _ := strings.Cut(path, "/")
	return room
}

// ours is a package's path inside the module.
func ours(imported string) (path string, ok bool) {
	if imported == "podmail" {
		return "", true
	}
	return strings.CutPrefix(imported, "podmail/")
}

func chainFault(at, imported string) []string {
	path, ok := ours(imported)
	from, to := roomOf(at), roomOf(path)
	if !ok || from == to {
		return nil
	}
	low, known := floors[to]
	high, knownToo := floors[from]
	switch {
	case !known || !knownToo:
		return []string{fmt.Sprintf("%s imports %s: one of them is in no room of the house; give it one, or a place in floors", name(at), name(path))}
	case low > high:
		return []string{fmt.Sprintf("%s imports %s: that is up the chain door → server → storage → mail", name(at), name(path))}
	case low == high:
		return []string{fmt.Sprintf("%s imports %s: that is sideways; what both need belongs below", name(at), name(path))}
	}
	return nil
}

func reachFault(at, imported string) []string {
	if path, ok := ours(imported); ok && slices.Contains(unreachable[roomOf(at)], roomOf(path)) {
		return []string{fmt.Sprintf("%s imports %s: %s goes without %s", name(at), name(path), roomOf(at), roomOf(path))}
	}
	return nil
}

func libraryFaults(at, imported string) (found []string) {
	if _, ok := ours(imported); ok {
		return nil
	}
	if at == "mail" && strings.Contains(roomOf(imported), ".") {
		found = append(found, fmt.Sprintf("mail imports %s: the vocabulary needs the standard library only", imported))
	}
	if roomOf(at) == "mail" && slices.Contains(withoutIO, imported) {
		found = append(found, fmt.Sprintf("%s imports %s: nothing in mail does I/O, or reaches for time, randomness or a log", at, imported))
	}
	for _, rule := range homes {
		isHome := func(home string) bool { return at == home || home != "" && within(at, home) }
		if within(imported, rule.imported) && !slices.ContainsFunc(rule.homes, isHome) {
			found = append(found, fmt.Sprintf("%s imports %s: %s", name(at), imported, rule.why))
		}
	}
	return found
}

func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

func name(path string) string {
	if path == "" {
		return "main"
	}
	return path
}

// TestImportRulesCanFail shows each rule a house that breaks it.
func TestImportRulesCanFail(t *testing.T) {
	for _, c := range []struct{ at, imports, want string }{
		{"podmail/mail", "podmail/storage", "mail imports storage: that is up the chain"},
		{"podmail/storage/sqlite", "podmail/server", "storage/sqlite imports server: that is up the chain"},
		{"podmail/storage", "podmail/web/api", "storage imports web/api: that is up the chain"},
		{"podmail/server/notify", "podmail/imap", "server/notify imports imap: that is up the chain"},
		{"podmail/smtp/receive", "podmail/imap/wire", "smtp/receive imports imap/wire: that is sideways"},
		{"podmail/web", "podmail", "web imports main: that is up the chain"},
		{"podmail/web/api", "podmail/storage", "web/api imports storage: web goes without storage"},
		{"podmail/e2e", "podmail/mail", "e2e imports mail: e2e goes without mail"},
		{"podmail/utils", "podmail/mail", "utils imports mail: one of them is in no room"},
		{"podmail/mail", "github.com/google/uuid", "mail imports github.com/google/uuid: the vocabulary"},
		{"podmail/mail/parse", "os", "mail/parse imports os: nothing in mail does I/O"},
		{"podmail/storage", "modernc.org/sqlite/lib", "storage imports modernc.org/sqlite/lib: another engine"},
		{"podmail/server", "net/http", "server imports net/http: HTTP is the web door's"},
		{"podmail/imap", "github.com/labstack/echo/v4", "imap imports github.com/labstack/echo/v4: the HTTP framework"},
		{"podmail/web", "github.com/emersion/go-smtp", "web imports github.com/emersion/go-smtp: SMTP is"},
		{"podmail/server", "testing", "server imports testing: tests' tools"},
		{"podmail/server", "github.com/miekg/dns", "server imports github.com/miekg/dns: names are"},
		{"podmail/mail/reply", "podmail/mail", ""},
		{"podmail/web/api", "podmail/mail", ""},
		{"podmail/mail/parse", "net/mail", ""},
		{"podmail/storage/sqlite", "modernc.org/sqlite", ""},
		{"podmail", "podmail/storage", ""},
	} {
		got := strings.Join(faults([]goPackage{{ImportPath: c.at, Imports: []string{c.imports}}}), "\n")
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s importing %s: got %q, want %q…", c.at, c.imports, got, c.want)
		}
	}
	got := faults([]goPackage{{ImportPath: "podmail/storage", TestImports: []string{"podmail/storage/sqlite"}, XTestImports: []string{"podmail/server"}}})
	if len(got) != 1 || !strings.HasPrefix(got[0], "a test of storage imports server: that is up") {
		t.Errorf("a test that imports upwards: %q", got)
	}
}

// TestArchitectureNamesEveryRoom keeps docs/architecture.md drawing the house as it stands.
func TestArchitectureNamesEveryRoom(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range listPackages(t) {
		room := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "podmail"), "/")
		if !regexp.MustCompile(`(^|[\s` + "`" + `(])` + regexp.QuoteMeta(room) + `($|[/\s` + "`" + `:,.])`).Match(page) {
			t.Errorf("docs/architecture.md does not name %s", room)
		}
	}
	inHouse := regexp.MustCompile("`((?:mail|storage|server|smtp|imap|web)/[a-z_/]+\\.go)`")
	for _, m := range inHouse.FindAllStringSubmatch(string(page), -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("docs/architecture.md names %s: %v", m[1], err)
		}
	}
}
