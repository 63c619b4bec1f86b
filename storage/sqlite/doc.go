// Package sqlite runs one SQLite file: a single writer that commits in groups, a pool of readers on WAL snapshots,
// checkpoints off the commit path, numbered migrations, and statements that are compiled once per scope.
//
// It knows no table: which columns bind a table to a pod or an inbox is handed in by storage, where all SQL lives.
package sqlite
