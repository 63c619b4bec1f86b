package tlsrpt

import "slices"

// Count is how many sessions fared alike under a policy.
type Count struct {
	Policy   Policy  `json:"policy"`
	Failure  Failure `json:"failure"` // of no type: they went well
	Sessions int64   `json:"-"`
}

// unnamed stands for failed sessions of whose failures only the number is known.
const unnamed = "validation-failure"

// Counts takes results apart.
func Counts(results []Result) (counts []Count) {
	for _, r := range results {
		if r.Summary.Successful > 0 {
			counts = append(counts, Count{Policy: r.Policy, Sessions: r.Summary.Successful})
		}
		rest := r.Summary.Failed
		for _, f := range r.Failures {
			n := f.Sessions
			f.Sessions = 0
			counts = append(counts, Count{r.Policy, f, n})
			rest -= n
		}
		if rest > 0 {
			counts = append(counts, Count{r.Policy, Failure{Type: unnamed}, rest})
		}
	}
	return counts
}

// Results puts counts together, one result for each policy, in the order of the policies' first counts.
func Results(counts []Count) (results []Result) {
	for _, c := range counts {
		at := slices.IndexFunc(results, func(r Result) bool { return r.Policy.equal(c.Policy) })
		if at < 0 {
			at = len(results)
			results = append(results, Result{Policy: c.Policy})
		}
		r := &results[at]
		if c.Failure.Type == "" {
			r.Summary.Successful += c.Sessions
			continue
		}
		r.Summary.Failed += c.Sessions
		f := c.Failure
		f.Sessions = c.Sessions
		r.Failures = append(r.Failures, f)
	}
	return results
}

func (p Policy) equal(q Policy) bool {
	return p.Type == q.Type && p.Domain == q.Domain && slices.Equal(p.String, q.String) && slices.Equal(p.MX, q.MX)
}
