// Package reply tells the new part of a message from what it quotes and from its signature, for text and for HTML, and
// turns HTML into text. It knows the habits of the common clients; where it is in doubt it keeps text rather than lose
// it.
package reply

import (
	"regexp"
	"strings"
)

var (
	// "On <date>, <someone> wrote:" and its like in other languages, on one line.
	attribution = regexp.MustCompile(`(?i)^\s*(>?\s*)?((on|am|le|el|il|em|op|den|w dniu)\s.{4,300}\s(wrote|schrieb.{0,120}|a écrit|escribió|ha scritto|escreveu|schreef.{0,120}|skrev.{0,120}|napisał.{0,20})\s*:?|.{1,120}\s+wrote:)\s*$`)
	original    = regexp.MustCompile(`(?i)^\s*[-_]{2,}\s*(original message|original appointment|forwarded message|ursprüngliche nachricht|message d'origine|mensaje original|messaggio originale)\s*[-_]{2,}\s*$|^\s*begin forwarded message:\s*$`)
	outlookFrom = regexp.MustCompile(`(?i)^\s*\*?(from|von|de|da|från|van)\s?:\*?\s+\S`)
	outlookSent = regexp.MustCompile(`(?i)^\s*\*?(sent|date|gesendet|datum|envoyé|enviado|inviato|skickat|verzonden|to|an|à|para|subject|betreff|objet|asunto)\s?:\*?\s`)
	underscores = regexp.MustCompile(`^\s*_{20,}\s*$`)
	sentFrom    = regexp.MustCompile(`(?i)^\s*(sent from (my|mail for|outlook|yahoo|proton|samsung)\b.{0,80}|get outlook for .{1,60}|von meinem .{1,40} gesendet|envoyé de mon .{1,40}|enviado desde mi .{1,40})\s*$`)
)

// Text returns the new part of a plain text. What has nothing new is returned whole.
func Text(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	end := cut(lines)
	kept := dropQuotes(lines[:end], end < len(lines))
	kept = dropSignature(kept)
	out := strings.TrimSpace(strings.Join(kept, "\n"))
	if out == "" {
		return strings.TrimSpace(s)
	}
	return out
}

// cut finds where quoted history begins that goes on to the end.
func cut(lines []string) int {
	inline := lastInline(lines)
	for i, line := range lines {
		switch {
		case (mayBegin(line, "-_") || beginsWith(line, "begin ")) && original.MatchString(line):
			return i
		case mayBegin(line, "_") && underscores.MatchString(line) && i+1 < len(lines) && outlookBlock(lines[i+1:]):
			return i
		case outlookBlock(lines[i:]):
			return i
		case inline <= i && isAttribution(lines, i):
			return i
		}
	}
	return len(lines)
}

// mayBegin tells whether a line's first character is one of these: it spares most lines the regular expressions.
func mayBegin(line, first string) bool {
	line = strings.TrimLeft(line, " \t")
	return line != "" && strings.IndexByte(first, line[0]) >= 0
}

// beginsWith tells whether a line begins with a prefix in whatever case.
func beginsWith(line, prefix string) bool {
	line = strings.TrimLeft(line, " \t")
	return len(line) >= len(prefix) && strings.EqualFold(line[:len(prefix)], prefix)
}

// outlookBlock tells whether lines begin with the header block that Outlook puts above the original.
func outlookBlock(lines []string) bool {
	if len(lines) == 0 || len(lines[0]) > 300 || !mayBegin(lines[0], "*fFvVdD") || strings.IndexByte(lines[0], ':') < 0 || !outlookFrom.MatchString(lines[0]) {
		return false
	}
	hits := 0
	for _, l := range lines[1:min(len(lines), 8)] {
		if len(l) < 1000 && outlookSent.MatchString(l) {
			hits++
		}
	}
	return hits >= 2
}

// isAttribution tells whether line i begins an attribution, which may be wrapped over three lines.
func isAttribution(lines []string, i int) bool {
	starts := startsAttribution(lines[i])
	if !starts && !strings.HasSuffix(strings.TrimRight(lines[i], " \t"), "wrote:") {
		return false
	}
	joined := ""
	for n := 0; n < 3 && i+n < len(lines) && len(joined) < 500; n++ {
		joined = strings.TrimSpace(joined + " " + strings.TrimLeft(lines[i+n], "> "))
		if attribution.MatchString(joined) {
			return n == 0 || starts
		}
	}
	return false
}

// startsAttribution tells whether a line's first word is one that the attributions we know begin with. It is asked of
// every line, so it is no regular expression.
func startsAttribution(line string) bool {
	line = strings.TrimLeft(line, "> \t")
	end := strings.IndexAny(line, " \t")
	if end < 0 || end > len("den") {
		return false
	}
	switch strings.ToLower(line[:end]) {
	case "on", "am", "le", "el", "il", "em", "op", "den", "w":
		return true
	}
	return false
}

// lastInline is the last quoted line that has an answer somewhere below it, or -1. What follows an attribution is the
// original to the end if that line stands above it. An original that is not marked by ">" has none.
func lastInline(lines []string) int {
	answered := false
	for i := len(lines) - 1; i >= 0; i-- {
		t := strings.TrimSpace(lines[i])
		switch {
		case strings.HasPrefix(t, ">"):
			if answered {
				return i
			}
		case t != "":
			answered = true
		}
	}
	return -1
}

// dropQuotes removes quoted lines, and attributions above them, from what is kept.
func dropQuotes(lines []string, _ bool) (kept []string) {
	for i := 0; i < len(lines); i++ {
		t := strings.TrimSpace(lines[i])
		if strings.HasPrefix(t, ">") {
			continue
		}
		if isAttribution(lines, i) {
			for i < len(lines) && !strings.HasSuffix(strings.TrimSpace(lines[i]), ":") {
				i++
			}
			continue
		}
		kept = append(kept, lines[i])
	}
	return kept
}

// dropSignature removes what follows the signature mark (RFC 3676 4.3), and a phone's boast at the end.
func dropSignature(lines []string) []string {
	for i, l := range lines {
		if l == "-- " || l == "--" || mayBegin(l, "sSgGvVeE") && len(l) < 200 && blank(lines[i+1:]) && sentFrom.MatchString(l) {
			if !blank(lines[:i]) {
				return lines[:i]
			}
		}
	}
	return lines
}

func blank(lines []string) bool {
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			return false
		}
	}
	return true
}
