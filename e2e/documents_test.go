package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentsRun pastes the sh blocks of every page into a shell, each page with a server of its own. A text block
// that follows is what that shell must show: its lines in this order, where … stands for anything.
func TestDocumentsRun(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"README.md", "docs/getting-started.md", "docs/agent-sign-up.md", "docs/api-keys.md", "docs/delivery.md", "docs/domains.md", "docs/drafts.md", "docs/events.md", "docs/forwarding.md", "docs/lists.md", "docs/mail-clients.md",
		"docs/metrics.md", "docs/outcomes.md", "docs/receiving.md", "docs/search.md", "docs/sending.md", "docs/webhooks.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile("../" + page)
			if err != nil {
				t.Fatal(err)
			}
			blocks := blocksOf(string(text))
			if len(blocks) == 0 {
				t.Fatal("there is nothing to run")
			}
			shown := start(t, serveDNS(t).setting()).paste(blocks)
			for i, b := range blocks {
				if missing := notShown(b.shows, shown[i]); missing != "" {
					t.Errorf("%q is not shown by\n%s\nwhich shows\n%s", missing, b.script, shown[i])
				}
			}
		})
	}
}

type block struct {
	script string
	shows  []string
}

func blocksOf(page string) (blocks []block) {
	fenced := regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")
	for _, m := range fenced.FindAllStringSubmatch(page, -1) {
		switch {
		case m[1] == "sh":
			blocks = append(blocks, block{script: m[2]})
		case m[1] == "text" && len(blocks) > 0:
			last := &blocks[len(blocks)-1]
			last.shows = append(last.shows, strings.Split(strings.TrimSpace(m[2]), "\n")...)
		}
	}
	return blocks
}

// paste runs all blocks in one shell, and returns what each of them shows.
func (p *Podmail) paste(blocks []block) []string {
	p.t.Helper()
	const cut = "8< - - - - -"
	var script strings.Builder
	for _, b := range blocks {
		script.WriteString(b.script + "echo; echo '" + cut + "'\n")
	}
	sdk, err := filepath.Abs("sdk/node_modules")
	if err != nil {
		p.t.Fatal(err)
	}
	here := strings.NewReplacer( // what differs from a machine where the defaults hold
		"am_org_…", p.Key,
		"http://127.0.0.1:8080", p.API, "ws://127.0.0.1:8080", strings.Replace(p.API, "http", "ws", 1),
		"127.0.0.1:2525", p.SMTP, "127.0.0.1:2587", p.Submission, `"127.0.0.1", 2143`, `"127.0.0.1", `+port(p.IMAP),
		"9911", freePort(p.t, "127.0.0.1"),
		"npm install agentmail@0.5.27", "ln -s "+sdk+" node_modules",
		"go run . ", "podmail ",
	)
	shell := exec.Command("bash", "-euo", "pipefail", "-c",
		fmt.Sprintf("podmail() { %q \"$@\" --config podmail.toml; }\n", binary)+here.Replace(script.String()))
	shell.Dir = p.dir
	out, err := shell.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(string(out), cut)
}

// notShown returns the first line that is not in the output after the ones before it.
func notShown(lines []string, output string) string {
	output = strings.Join(strings.Fields(output), " ")
	for _, line := range lines {
		for _, piece := range strings.Split(line, "…") {
			piece = strings.Join(strings.Fields(piece), " ")
			_, after, found := strings.Cut(output, piece)
			if !found {
				return line
			}
			output = after
		}
	}
	return ""
}
