// Package storage keeps Podmail's rows: one file per kind of thing, all SQL, and the migrations.
//
// Nobody gets at a row but through a handle that is bound to a scope: Store.For(scope).Read or Write. The scope is
// compiled into every statement, so callers neither pass nor can forget a pod. The few look-ups that must cross pods
// stand in system.go and return scopes.
//
// What may be done, and what happens next, is decided in server; this package only finds, lists, inserts, updates and
// deletes. Its exported API shows nothing of SQLite.
package storage
