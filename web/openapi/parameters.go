package openapi

// parameter is a query parameter, which means the same wherever it is taken.
type parameter struct {
	schema      object
	description string
}

var (
	text    = object{"type": "string"}
	flag    = object{"type": "boolean"}
	number  = object{"type": "integer", "minimum": 1}
	moment  = object{"type": "string", "format": "date-time"}
	texts   = object{"type": "array", "items": text}
	include = "List these too, which are left out by default."
)

var parameters = map[string]parameter{
	"limit":                   {number, "How many to answer with at most."},
	"page_token":              {text, "next_page_token of the page before."},
	"ascending":               {flag, "Oldest first."},
	"descending":              {flag, "Newest first."},
	"labels":                  {texts, "Has all of these labels."},
	"before":                  {moment, "Older than this."},
	"after":                   {moment, "Newer than this."},
	"include_spam":            {flag, include},
	"include_blocked":         {flag, include},
	"include_unauthenticated": {flag, include},
	"include_trash":           {flag, include},
	"from":                    {texts, "The sender has all of these in it, in upper or lower case."},
	"to":                      {texts, "The recipients (to, cc, bcc) have all of these in them, in upper or lower case."},
	"senders":                 {texts, "The senders have all of these in them, in upper or lower case."},
	"recipients":              {texts, "The recipients have all of these in them, in upper or lower case."},
	"subject":                 {texts, "The subject has all of these in it, in upper or lower case."},
	"q":                       {text, "What to look for."},
	"type":                    {object{"$ref": schemaPath + "ApiKeyType"}, "Only this family of keys."},
	"event_types":             {texts, "Only these types."},
	"api_key":                 {text, "The key, where the header cannot be set."},
	"last_event_id":           {text, "The last event that was seen: go on behind it."},
	"usage_types":             {texts, "Only these types."},
	"start":                   {moment, "From here on; 90 days back at most. Default: a day before end."},
	"end":                     {moment, "Up to here. Default: now."},
	"state":                   {object{"type": "string", "enum": []string{"queued", "delivered", "failed", "gone"}}, "Only those in this state."},
	"period":                  {object{"type": "integer", "minimum": 1, "maximum": 86400}, "Seconds of a bucket."},
}

// pathParameters describes what stands in braces in a path.
var pathParameters = map[string]string{
	"pod_id":        "Id or client_id of a pod.",
	"inbox_id":      "Address or client_id of an inbox.",
	"message_id":    "Message-ID, with or without its angle brackets, percent-encoded.",
	"thread_id":     "Id of a thread.",
	"attachment_id": "Id of an attachment.",
	"draft_id":      "Id or client_id of a draft.",
	"domain_id":     "Name of a domain.",
	"api_key_id":    "Id of a key; of a public key also its client_id.",
	"webhook_id":    "Id or client_id of a webhook.",
	"delivery_id":   "Id of a delivery.",
	"queued_id":     "Id of a delivery in the queue.",
	"direction":     "send, receive or reply.",
	"type":          "allow or block.",
	"entry":         "An address or a domain.",
	"kind":          "pod or domain; of a pause also destination.",
	"name":          "Name of a domain; of a pod its id or client_id.",
	"account_id":    "Id of an account.",
	"provider_id":   "Id of a provider.",
}
