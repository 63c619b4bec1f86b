-- Entries that the server makes of hard bounces end by themselves.
ALTER TABLE list_entries ADD COLUMN expires_at INTEGER; -- NULL: never
CREATE INDEX list_entries_expiring ON list_entries (expires_at) WHERE expires_at IS NOT NULL;
