package api

// The most items that a page may have (contract: semantics.md, Lists): 100 for threads.get and for message and thread
// lists filtered by words, which are searches; other lists are cheap, but a page is held in memory whole.
const (
	defaultLimit    = 50
	maxSearchLimit  = 100
	maxPlainLimit   = 500
	maxBatchGet     = 500
	maxBatchUpdate  = 50
	maxFilterValues = 50

	// Of metrics (contract: semantics.md, Metrics).
	maxUsagePoints  = 1000
	maxEventBuckets = 10_000
	maxPeriod       = 24 * 60 * 60 // seconds
)

// page is what every list answers beside its items.
type page struct {
	Count         int    `json:"count"`
	Limit         int    `json:"limit"`
	NextPageToken string `json:"next_page_token,omitempty"`
}

// each renders items; the result is never nil, since a list without items is [] on the wire.
func each[T, W any](items []T, render func(*T) W) []W {
	out := make([]W, len(items))
	for i := range items {
		out[i] = render(&items[i])
	}
	return out
}
