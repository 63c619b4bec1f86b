// Podmail is a whole mail platform in one binary and one database file.
//
// This package is the command line, and alone knows every room: serve, in serve.go, reads the settings, opens the
// file, puts the server between storage and the doors, starts them, and stops them in the opposite order; the operator's
// commands beside it work on the same file. What is decided is decided elsewhere.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"podmail/mail"
	"podmail/server/config"
)

// commands is all that the program can be told to do.
type commands struct {
	flags

	Serve serveCommand `cmd:"" help:"Run the mail server: SMTP, IMAP and the HTTP API."`
	Key   struct {
		Create createKeyCommand `cmd:"" help:"Create an API key and print it, and nothing else, on standard output."`
		List   listKeysCommand  `cmd:"" help:"List the API keys."`
		Revoke revokeKeyCommand `cmd:"" help:"Revoke an API key at once."`
	} `cmd:"" help:"Create, list and revoke API keys; also while the server runs."`
	Queue       queueCommands       `cmd:"" help:"Look at the queue of outgoing mail, and change it; also while the server runs."`
	Pod         podCommands         `cmd:"" help:"Show and set how much a pod may send; also while the server runs."`
	Domain      domainCommands      `cmd:"" help:"Tell what domains have to publish, and change their keys; also while the server runs."`
	Route       routeCommands       `cmd:"" help:"Say how mail of a pod, or from a domain, goes to other servers; also while the server runs."`
	Forward     forwardCommands     `cmd:"" help:"Say to whom inboxes forward what arrives in them; also while the server runs."`
	Suppression suppressionCommands `cmd:"" help:"List, add to, remove from and export whom a pod writes to no more; also while the server runs."`
	Trace       traceCommand        `cmd:"" help:"Tell where a message is, and what became of it on its way; also while the server runs."`
	Explain     explainCommand      `cmd:"" help:"Tell what was found out about a message that came in, and why it is where it is; also while the server runs."`
	Version     versionCommand      `cmd:"" help:"Print the version."`
}

// flags are those of every command.
type flags struct {
	Config string `placeholder:"FILE" env:"PODMAIL_CONFIG" help:"Settings (TOML); see config.example.toml."`
	Data   string `placeholder:"DIR" help:"Folder of podmail.db; goes before data_dir and $$PODMAIL_DATA_DIR."`
}

func main() {
	syscall.Umask(0o077) // whatever we make holds other people's mail
	var c commands
	parser := kong.Must(&c, kong.Name("podmail"), kong.Description("A mail platform in one binary: pods, inboxes, SMTP, IMAP and an HTTP API."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	command, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "podmail: %v\nTry podmail --help.\n", err)
		os.Exit(2)
	}
	if err := command.Run(&c.flags); err != nil {
		fmt.Fprintln(os.Stderr, "podmail:", explain(err))
		os.Exit(1)
	}
}

// explain words an error for the operator.
func explain(err error) string {
	e, ok := errors.AsType[*mail.Error](err)
	if !ok {
		return err.Error()
	}
	text := e.Message
	if about, ok := strings.CutSuffix(err.Error(), e.Error()); ok { // which of several it is
		text = about + text
	}
	if e.Fix != "" {
		text += " " + e.Fix
	}
	if e.Code == mail.CodeUnavailable {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text
}

func (f *flags) load() (config.Config, error) {
	return config.Load(config.Sources{File: f.Config, Environ: os.Environ(), DataDir: f.Data})
}

type versionCommand struct{}

// Run prints what the binary was built from.
func (versionCommand) Run() error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("this binary does not say what it was built from")
	}
	_, err := fmt.Println("podmail", info.Main.Version, info.GoVersion)
	return err
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now().UTC() }

func databasePath(cfg *config.Config) string { return filepath.Join(string(cfg.DataDir), "podmail.db") }
