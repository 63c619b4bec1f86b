package mail

import (
	"slices"
	"time"
)

// UsageType names what there can be how much of (contract: types.md, UsageType).
type UsageType string

// The types of usage.
const (
	UsageStorageBytes UsageType = "storage_bytes"
	UsageMessageCount UsageType = "message_count"
	UsageThreadCount  UsageType = "thread_count"
	UsageInboxCount   UsageType = "inbox_count"
	UsageDomainCount  UsageType = "domain_count"
	UsagePodCount     UsageType = "pod_count"
)

// UsageTypes lists what is measured.
func UsageTypes() []UsageType {
	return []UsageType{UsageStorageBytes, UsageMessageCount, UsageThreadCount, UsageInboxCount, UsageDomainCount, UsagePodCount}
}

// MeasuredAt tells whether a scope can have any of it.
func (u UsageType) MeasuredAt(scope ScopeType) bool {
	switch u {
	case UsageInboxCount, UsageDomainCount:
		return scope != ScopeInbox
	case UsagePodCount:
		return scope == ScopeOrganization
	}
	return true
}

// MetricEventTypes lists the events that are counted, in the contract's order (types.md, MetricEventType).
func MetricEventTypes() []EventType {
	return slices.DeleteFunc(EventTypes(), func(t EventType) bool { return t == EventOpened })
}

// CountedAt tells whether events of this type can happen in a scope.
func (t EventType) CountedAt(scope ScopeType) bool {
	return t != EventDomainVerified || scope != ScopeInbox
}

// Counters is how many numbers Totals has.
const Counters = 16

// Totals are numbers of what there is, in the order of UsageTypes, then of what happened so far, in that of
// MetricEventTypes.
type Totals [Counters]int64

// Add adds what changed.
func (t *Totals) Add(change Totals) {
	for i, n := range change {
		t[i] += n
	}
}

// Usage is how much there is of a type.
func (t *Totals) Usage(u UsageType) *int64 { return &t[slices.Index(UsageTypes(), u)] }

// Events is how many events of a type there were; nil if they are not counted.
func (t *Totals) Events(e EventType) *int64 {
	i := slices.Index(MetricEventTypes(), e)
	if i < 0 {
		return nil
	}
	return &t[len(UsageTypes())+i]
}

// Reading is the totals from a moment on.
type Reading struct {
	At     time.Time
	Totals Totals
}

// MetricPoint is one number of a series: of the events of a bucket that begins then, or of what there is then.
type MetricPoint struct {
	At    time.Time
	Value int64
}
