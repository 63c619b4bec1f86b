package reply

import (
	"strings"

	"golang.org/x/net/html"
)

// maxNodes bounds how much of an HTML text is looked at.
const maxNodes = 200_000

// quoteMarks are what clients put on the element that holds the quoted original, or on a signature.
var quoteMarks = struct{ classes, ids []string }{
	classes: []string{"gmail_quote", "gmail_quote_container", "gmail_extra", "gmail_signature", "gmail_signature_prefix", "yahoo_quoted", "moz-cite-prefix", "moz-signature", "protonmail_quote", "protonmail_signature_block", "zmail_extra"},
	ids:     []string{"appendonsend", "divRplyFwdMsg", "mail-editor-reference-message-container", "OLK_SRC_BODY_SECTION", "Signature", "yahoo_quoted"},
}

// HTML returns the new part of an HTML text. What has nothing new is returned whole.
func HTML(s string) string {
	doc, err := html.Parse(strings.NewReader(s))
	if err != nil {
		return s
	}
	body := find(doc, "body")
	if body == nil || !strings.ContainsFunc(s, func(r rune) bool { return r == '<' }) {
		return s
	}
	budget := maxNodes
	if !prune(body, &budget) {
		return s
	}
	var text strings.Builder
	writeText(&text, body, 0)
	if strings.TrimSpace(text.String()) == "" && find(body, "img") == nil {
		return s
	}
	var b strings.Builder
	for c := body.FirstChild; c != nil; c = c.NextSibling {
		if html.Render(&b, c) != nil {
			return s
		}
	}
	return strings.TrimSpace(b.String())
}

// find finds the first element of a name, depth first.
func find(n *html.Node, name string) *html.Node {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == name {
			return d
		}
	}
	return nil
}

// prune removes quoted elements below n and, for marks that stand before the original, all that follows them. It
// returns whether anything went.
func prune(n *html.Node, budget *int) (pruned bool) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if *budget--; *budget < 0 {
			return pruned
		}
		switch {
		case c.Type == html.ElementNode && isDivider(c):
			for ; c != nil; c = next {
				next = c.NextSibling
				n.RemoveChild(c)
			}
			return true
		case c.Type == html.ElementNode && isQuote(c):
			n.RemoveChild(c)
			pruned = true
		default:
			pruned = prune(c, budget) || pruned
		}
		c = next
	}
	return pruned
}

// isDivider tells whether all that follows an element is the original: Outlook does not wrap it. The mark may stand at
// the beginning of a wrapper of its own.
func isDivider(n *html.Node) bool {
	for range maxWrappers {
		if isDividerMark(n) {
			return true
		}
		first := n.FirstChild
		for first != nil && first.Type == html.TextNode && strings.TrimSpace(first.Data) == "" {
			first = first.NextSibling
		}
		if n.Data != "div" || first == nil || first.Type != html.ElementNode {
			return false
		}
		n = first
	}
	return false
}

// maxWrappers is how deep a divider's mark is looked for.
const maxWrappers = 3

func isDividerMark(n *html.Node) bool {
	id := attr(n, "id")
	if id == "appendonsend" || id == "divRplyFwdMsg" || strings.HasSuffix(id, "_divRplyFwdMsg") {
		return true
	}
	style := strings.ReplaceAll(strings.ToLower(attr(n, "style")), " ", "")
	return n.Data == "div" && strings.Contains(style, "border-top:solid#") && strings.Contains(style, "1.0pt")
}

func isQuote(n *html.Node) bool {
	if n.Data == "blockquote" && (attr(n, "type") == "cite" || attr(n, "cite") != "" || hasClass(n, quoteMarks.classes)) {
		return true
	}
	for _, id := range quoteMarks.ids {
		if attr(n, "id") == id {
			return true
		}
	}
	return hasClass(n, quoteMarks.classes)
}

func hasClass(n *html.Node, classes []string) bool {
	for c := range strings.FieldsSeq(attr(n, "class")) {
		for _, want := range classes {
			if c == want {
				return true
			}
		}
	}
	return false
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
