package tlsrpt

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCounts: results that are taken apart and put together are what they were, and those of the same policy are added.
func TestCounts(t *testing.T) {
	sts := Policy{Type: "sts", Domain: "a.example", String: Strings{"mode: enforce"}, MX: Strings{"mx.a.example"}}
	other := Policy{Type: "sts", Domain: "a.example", String: Strings{"mode: testing"}, MX: Strings{"mx.a.example"}}
	expired := Failure{Type: "certificate-expired", ReceivingMX: "mx.a.example", Sessions: 2}
	results := []Result{
		{Policy: sts, Summary: Summary{3, 7}, Failures: []Failure{expired, {Type: "starttls-not-supported", Sessions: 1}, {Type: unnamed, Sessions: 4}}},
		{Policy: other, Summary: Summary{1, 0}},
		{Policy: Policy{Type: "tlsa", Domain: "a.example"}, Summary: Summary{0, 2}, Failures: []Failure{expired}},
	}
	if diff := cmp.Diff(results, Results(Counts(results))); diff != "" {
		t.Error(diff)
	}
	lost := []Result{{Policy: sts, Summary: Summary{0, 5}, Failures: []Failure{expired}}}
	want := []Result{{Policy: sts, Summary: Summary{1, 5}, Failures: []Failure{expired, {Type: unnamed, Sessions: 3}}}}
	if diff := cmp.Diff(want, Results(append(Counts(lost), Count{Policy: sts, Sessions: 1}))); diff != "" {
		t.Error(diff)
	}
}
