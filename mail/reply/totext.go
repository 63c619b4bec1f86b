package reply

import (
	"strings"

	"golang.org/x/net/html"
)

// maxTextDepth bounds how deep elements nest that are turned into text.
const maxTextDepth = 500

// ToText turns HTML into plain text: blocks on lines of their own, links with their address, no scripts or styles.
func ToText(s string) string {
	doc, err := html.Parse(strings.NewReader(s))
	if err != nil {
		return s
	}
	var b strings.Builder
	writeText(&b, doc, 0)
	return tidy(b.String())
}

func writeText(b *strings.Builder, n *html.Node, depth int) {
	if depth > maxTextDepth {
		return
	}
	switch n.Type {
	case html.TextNode:
		b.WriteString(collapse(n.Data))
		return
	case html.ElementNode:
		switch n.Data {
		case "script", "style", "head", "title", "noscript", "template":
			return
		case "br":
			b.WriteByte('\n')
			return
		case "li":
			b.WriteString("\n- ")
		case "td", "th":
			b.WriteByte(' ')
		}
	}
	block := n.Type == html.ElementNode && isBlock(n.Data)
	if block {
		b.WriteByte('\n')
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		writeText(b, c, depth+1)
	}
	if n.Type == html.ElementNode && n.Data == "a" {
		if href := attr(n, "href"); strings.HasPrefix(href, "http") && n.FirstChild != nil && strings.TrimSpace(n.FirstChild.Data) != href {
			b.WriteString(" (" + href + ")")
		}
	}
	if block {
		b.WriteByte('\n')
	}
}

func isBlock(name string) bool {
	switch name {
	case "p", "div", "ul", "ol", "table", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "hr", "section", "article", "header", "footer":
		return true
	}
	return false
}

// collapse makes runs of white space one space, as HTML shows them.
func collapse(s string) string {
	if strings.TrimSpace(s) == "" {
		if s == "" {
			return ""
		}
		return " "
	}
	out := strings.Join(strings.Fields(s), " ")
	if strings.ContainsRune(" \t\r\n", rune(s[0])) {
		out = " " + out
	}
	if strings.ContainsRune(" \t\r\n", rune(s[len(s)-1])) {
		out += " "
	}
	return out
}

// tidy trims lines and leaves at most one empty line between them.
func tidy(s string) string {
	var out []string
	empty := true
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimSpace(strings.ReplaceAll(line, "  ", " "))
		if line == "" && empty {
			continue
		}
		empty = line == ""
		out = append(out, line)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}
