package mail

// Part is one node of a message's MIME tree, with the byte ranges from which IMAP and the API answer without parsing
// again. All offsets count from the message's first byte.
//
// A multipart has Children. A message/rfc822 part has its inner message as Children[0] and that one's Envelope.
type Part struct {
	Type        string            `json:"t"`            // lower case, such as text
	Subtype     string            `json:"s"`            // lower case, such as plain
	Params      map[string]string `json:"p,omitempty"`  // of Content-Type, names in lower case, values decoded
	ContentID   string            `json:"id,omitempty"` // with angle brackets
	Description string            `json:"d,omitempty"`
	Encoding    string            `json:"e,omitempty"`  // lower case; empty means 7bit
	Disposition string            `json:"di,omitempty"` // lower case
	DispParams  map[string]string `json:"dp,omitempty"` // names in lower case, values decoded
	MD5         string            `json:"md5,omitempty"`
	Language    []string          `json:"l,omitempty"`
	Location    string            `json:"lo,omitempty"`
	Header      int64             `json:"h"`            // first byte of the part's header
	Body        int64             `json:"b"`            // first byte after the header's empty line
	End         int64             `json:"n"`            // one past the body's last byte
	Lines       int64             `json:"ln,omitempty"` // of the body, counted for text and message/rfc822
	Envelope    *Envelope         `json:"env,omitempty"`
	Children    []*Part           `json:"c,omitempty"`
}

// MediaType is type/subtype.
func (p *Part) MediaType() string { return p.Type + "/" + p.Subtype }

// Filename is the part's name by Content-Disposition, else by Content-Type's name.
func (p *Part) Filename() string {
	if n := p.DispParams["filename"]; n != "" {
		return n
	}
	return p.Params["name"]
}

// Parsed is all that is derived from a message's bytes at delivery and kept beside them.
type Parsed struct {
	Envelope    Envelope
	Structure   *Part
	Text        *Part        // the part that Message.text shows; nil if none
	HTML        *Part        // the part that Message.html shows; nil if none
	Attachments []Attachment // in order of appearance
	Preview     string       // about 200 characters of the new text
	Size        int64        // bytes parsed
	Auto        bool         // Auto-Submitted or similar says a program wrote it (RFC 3834)
	Received    int          // number of Received fields, for loop detection
	DeliveredTo []string     // of the Delivered-To fields: where the message has been
}
