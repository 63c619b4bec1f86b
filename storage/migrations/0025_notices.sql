-- The queue also carries what no inbox sent: notifications to senders elsewhere, and mail that is handed on.

ALTER TABLE deliveries ADD COLUMN purpose TEXT NOT NULL DEFAULT 'sent'; -- sent, forward, redirect, notice, return
ALTER TABLE deliveries ADD COLUMN origin TEXT; -- JSON, of what is handed on: under which reverse-path it came, and who vouches for that
ALTER TABLE deliveries ADD COLUMN trace BLOB;  -- where there is no message: header fields of ours, before the blob's bytes
