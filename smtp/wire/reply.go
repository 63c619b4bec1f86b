package wire

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
)

// Reply is an answer to a command. As an error it is a refusal.
type Reply struct {
	Code   int
	Status string   // enhanced status code (RFC 3463); empty where there is none: greetings, EHLO, 3yz
	Lines  []string // at least one
}

// NewReply returns a reply of one line.
func NewReply(code int, status, text string) *Reply { return &Reply{code, status, []string{text}} }

// Error implements error.
func (r *Reply) Error() string {
	return fmt.Sprint(r.Code, " ", r.Status, " ", strings.Join(r.Lines, " "))
}

// maxReplyText keeps reply lines within 512 bytes (RFC 5321 4.5.3.1.5).
const maxReplyText = 490

// WriteTo writes the reply. What could break out of its line, or is not ASCII, becomes a question mark.
func (r *Reply) WriteTo(w *bufio.Writer) error {
	for i, text := range r.Lines {
		separator := "-"
		if i == len(r.Lines)-1 {
			separator = " "
		}
		w.WriteString(strconv.Itoa(r.Code) + separator)
		if r.Status != "" {
			w.WriteString(r.Status + " ")
		}
		text = strings.Map(func(c rune) rune {
			if c < ' ' || c > '~' {
				return '?'
			}
			return c
		}, text)
		w.WriteString(text[:min(len(text), maxReplyText)])
		if _, err := w.WriteString("\r\n"); err != nil { // a bufio.Writer's errors stick
			return err
		}
	}
	return nil
}
