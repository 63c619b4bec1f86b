// Package compose turns mail's nouns into bytes: a draft into a MIME message, the header fields that answers and
// forwards need, and the trace fields that a hop adds. It reaches for no clock, randomness or network: times, ids and
// the seed of boundaries are handed in.
package compose
