package dsn

import (
	"io"
	"slices"
	"strings"

	"podmail/mail"
	"podmail/mail/parse"
)

// readProse reads bounces that were written for people only: qmail's, which are made to be read all the same (QSBMF),
// and those of old releases of Exim, which name the recipients in X-Failed-Recipients.
func readProse(p *mail.Parsed, r io.ReaderAt) (*Report, error) {
	if p.Text == nil || p.Structure == nil {
		return nil, nil
	}
	header, err := io.ReadAll(io.NewSectionReader(r, p.Structure.Header, min(p.Structure.Body-p.Structure.Header, maxHeader)))
	if err != nil {
		return nil, err
	}
	failed := failedRecipients(header)
	text, err := parse.Body(r, p.Text, maxProse)
	if err != nil {
		return nil, err
	}
	d := &Report{}
	switch {
	case strings.HasPrefix(strings.TrimLeft(text, "\n "), "Hi. This is the "):
		d.qsbmf(text)
	case len(failed) > 0:
		d.exim(failed, text)
	}
	if len(d.Recipients) == 0 {
		return nil, nil
	}
	return d, nil
}

func failedRecipients(header []byte) (list []string) {
	for _, f := range parse.Headers(header) {
		if !strings.EqualFold(f.Name, "X-Failed-Recipients") {
			continue
		}
		for v := range strings.SplitSeq(f.Value, ",") {
			if a := address(v); a != "" && len(list) < maxRecipients {
				list = append(list, a)
			}
		}
	}
	return list
}

// qsbmf reads paragraphs that begin with a recipient, up to one that begins with dashes, after which the message comes.
func (d *Report) qsbmf(text string) {
	for text != "" {
		var paragraph string
		paragraph, text, _ = strings.Cut(strings.TrimLeft(text, "\n"), "\n\n")
		if strings.HasPrefix(paragraph, "-") {
			d.copied(text)
			return
		}
		first, rest, _ := strings.Cut(paragraph, "\n")
		if !strings.HasPrefix(first, "<") || !strings.HasSuffix(strings.TrimSpace(first), ">:") || len(d.Recipients) >= maxRecipients {
			continue
		}
		d.add(address(strings.TrimSuffix(strings.TrimSpace(first), ":")), rest)
	}
}

// exim takes for each recipient what stands under its name.
func (d *Report) exim(failed []string, text string) {
	before, after, _ := strings.Cut(text, "\n------ ")
	if _, message, ok := strings.Cut(after, "------\n"); ok {
		d.copied(message)
	}
	for _, a := range failed {
		d.add(a, saidOf(a, before))
	}
}

// saidOf is what Exim writes of a recipient: the lines below that are set in further.
func saidOf(to, text string) string {
	_, below, _ := strings.Cut(text, "\n  "+to+"\n")
	var said []string
	for line := range strings.Lines(below) {
		if !strings.HasPrefix(line, "    ") {
			break
		}
		said = append(said, line)
	}
	return clip(strings.Join(strings.Fields(strings.Join(said, " ")), " "))
}

// explain finds in the part for people what the part for machines leaves out: Exim tells its own reasons there only.
func (d *Report) explain(p *mail.Parsed, r io.ReaderAt) error {
	unexplained := func(to Recipient) bool { return to.Diagnostic == "" && to.Action != Delivered }
	if p.Text == nil || !slices.ContainsFunc(d.Recipients, unexplained) {
		return nil
	}
	text, err := parse.Body(r, p.Text, maxProse)
	if err != nil {
		return err
	}
	for i := range d.Recipients {
		if to := &d.Recipients[i]; unexplained(*to) {
			to.Diagnostic = saidOf(to.Final, text)
		}
	}
	return nil
}

// add notes a recipient that failed for a reason told in lines.
func (d *Report) add(to, reason string) {
	if to == "" {
		return
	}
	said := clip(strings.Join(strings.Fields(reason), " "))
	_, status := codes(said)
	d.Recipients = append(d.Recipients, Recipient{Final: to, Action: Failed, Status: status, Diagnostic: said})
}

// copied notes what is known of a message that begins in text.
func (d *Report) copied(text string) {
	text = strings.TrimLeft(text, "\n")
	if line, rest, _ := strings.Cut(text, "\n"); strings.HasPrefix(line, "Return-Path:") && strings.HasPrefix(rest, "\n") {
		text = rest // QSBMF may set the field apart
	}
	d.Header = headerOf([]byte(text))
	d.MessageID = MessageID(d.Header)
}
