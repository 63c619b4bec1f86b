package api

import (
	"podmail/mail"
	"podmail/server"
)

type attachment struct {
	AttachmentID       string `json:"attachment_id"`
	Filename           string `json:"filename,omitempty"`
	Size               int64  `json:"size"`
	ContentType        string `json:"content_type,omitempty"`
	ContentDisposition string `json:"content_disposition,omitempty"`
	ContentID          string `json:"content_id,omitempty"`
}

func attachmentOf(a *mail.Attachment) attachment {
	out := attachment{a.AttachmentID, a.Filename, a.Size, a.ContentType, a.Disposition, a.ContentID}
	if out.ContentDisposition != "" && out.ContentDisposition != "inline" {
		out.ContentDisposition = "attachment" // what an unknown disposition means (RFC 2183 2.8)
	}
	return out
}

// linkedAttachment is the contract's AttachmentResponse.
type linkedAttachment struct {
	attachment
	DownloadURL string    `json:"download_url"`
	ExpiresAt   timestamp `json:"expires_at"`
}

func linkedAttachmentOf(a *mail.Attachment, l server.Link) linkedAttachment {
	return linkedAttachment{attachmentOf(a), l.URL, timestamp(l.ExpiresAt)}
}
