package config

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	example = "../../config.example.toml"
	manual  = "../../docs/configuration.md"
)

// TestExampleEqualsTheDefaults proves that config.example.toml holds every setting, with its default.
func TestExampleEqualsTheDefaults(t *testing.T) {
	got := Config{sources: map[string]string{}}
	if err := got.readFile(example); err != nil {
		t.Fatal(err)
	}
	for _, s := range got.settings() {
		if got.sources[s.key] == "" {
			t.Errorf("%s lacks %s", example, s.key)
		}
	}
	if diff := cmp.Diff(Default(), got, values); diff != "" {
		t.Errorf("%s does not have the defaults (-default +example):\n%s", example, diff)
	}
}

// TestExampleExplainsEverySetting wants a comment right above each setting.
func TestExampleExplainsEverySetting(t *testing.T) {
	lines := strings.Split(read(t, example), "\n")
	for key, line := range keyLines([]byte(read(t, example))) {
		if above := lines[line-2]; !strings.HasPrefix(lines[line-1], "[") && !strings.HasPrefix(above, "# ") {
			t.Errorf("%s:%d: %s has no comment above it", example, line, key)
		}
	}
}

// TestManualListsEverySetting wants a row with key and default in the manual's table, and no row of a setting that
// is not there.
func TestManualListsEverySetting(t *testing.T) {
	text := read(t, manual)
	c := Default()
	rows := strings.Count(text, "\n| `")
	for _, s := range c.settings() {
		fallback := "empty"
		if v := s.value.String(); v != "" {
			fallback = "`" + v + "`"
		}
		if row := "| `" + s.key + "` | " + fallback + " | "; !strings.Contains(text, row) {
			t.Errorf("%s lacks the row %q", manual, row)
		}
	}
	if rows != len(c.settings()) {
		t.Errorf("%s has %d rows for %d settings", manual, rows, len(c.settings()))
	}
}

// TestManualsFileIsTaken reads the TOML that the manual shows.
func TestManualsFileIsTaken(t *testing.T) {
	_, rest, found := strings.Cut(read(t, manual), "```toml\n")
	block, _, _ := strings.Cut(rest, "```")
	c := Default()
	if err := c.readTOML(manual, []byte(block)); !found || err != nil {
		t.Error(found, err)
	}
	if err := c.check(); err != nil || c.SMTP.SubmissionTLS != ":465" {
		t.Error(c.SMTP, err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
