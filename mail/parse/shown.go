package parse

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"podmail/mail"
	"podmail/mail/reply"
)

// finish chooses the parts that readers show and lists the others as attachments.
func (p *parser) finish(root *node) (out *mail.Parsed, text, html *node) {
	out = &mail.Parsed{Envelope: p.root.envelope, Structure: root.part, Size: p.off, Auto: p.root.auto, Received: p.root.received, DeliveredTo: p.root.been}
	choose(root, &text, &html)
	if text != nil {
		out.Text = text.part
	}
	if html != nil {
		out.HTML = html.part
	}
	seed := sha256.Sum256(p.root.raw)
	attachments(root, "", text, html, seed, &out.Attachments)
	return out, text, html
}

// choose finds the first plain and the first HTML body that are not attachments. Messages within are not looked into.
func choose(n *node, text, html **node) {
	if n.part.Type == "multipart" {
		for _, c := range n.children {
			choose(c, text, html)
		}
		return
	}
	if n.part.Disposition == "attachment" || n.part.Filename() != "" {
		return
	}
	switch {
	case n.part.MediaType() == "text/plain" && *text == nil:
		*text = n
	case n.part.MediaType() == "text/html" && *html == nil:
		*html = n
	}
}

// attachments lists every leaf that is not a shown body. A message within is one attachment.
func attachments(n *node, path string, text, html *node, seed [32]byte, out *[]mail.Attachment) {
	if n.part.Type == "multipart" {
		for i, c := range n.children {
			attachments(c, path+"."+strconv.Itoa(i+1), text, html, seed, out)
		}
		return
	}
	if n == text || n == html {
		return
	}
	if path == "" && n.decoded == 0 {
		return // a message without a body has no attachments
	}
	disposition := "attachment"
	if n.part.Disposition == "inline" || (n.part.Disposition == "" && n.part.ContentID != "") {
		disposition = "inline"
	}
	*out = append(*out, mail.Attachment{AttachmentID: attachmentID(seed, path), Filename: clean(n.part.Filename()), Size: n.decoded,
		ContentType: n.part.MediaType(), Disposition: disposition, ContentID: strings.Trim(n.part.ContentID, "<>"),
		Body: n.part.Body, End: n.part.End, Encoding: n.part.Encoding})
}

// attachmentID derives a UUID (RFC 9562 5.8) from the message's header and the part's place, so that it is the same
// whenever the message is parsed.
func attachmentID(seed [32]byte, path string) string {
	h := sha256.Sum256(append(seed[:], path...))
	h[6] = h[6]&0x0f | 0x80
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// maxPreview is in characters.
const maxPreview = 200

// plain is the plain text of the kept beginnings of the bodies.
func plain(text, html *node) string {
	switch {
	case text != nil && len(text.text) > 0:
		return decodeText(text)
	case html != nil:
		return reply.ToText(decodeText(html))
	}
	return ""
}

func decodeText(n *node) string {
	return strings.ReplaceAll(text(n.text, n.part.Params["charset"]), "\r\n", "\n")
}

// preview is the beginning of a text with white space collapsed.
func preview(s string) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == '\u200b' || r == '\ufeff' || r == '\u034f' || r == '\u00ad' {
			space = n > 0
			continue
		}
		if space {
			if n++; n >= maxPreview {
				break
			}
			b.WriteByte(' ')
			space = false
		}
		if n++; n > maxPreview {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Body returns the text of a leaf: transfer encoding and charset undone, line breaks as "\n". At most limit decoded
// bytes are read.
func Body(r io.ReaderAt, p *mail.Part, limit int64) (string, error) {
	section := io.NewSectionReader(r, p.Body, p.End-p.Body)
	b, err := io.ReadAll(io.LimitReader(Decode(section, p.Encoding), limit))
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(text(b, p.Params["charset"]), "\r\n", "\n"), nil
}
