-- What senders ask for: reports on deliveries (RFC 3461), and TLS all the way (RFC 8689).
ALTER TABLE deliveries ADD COLUMN envelope_id TEXT;                        -- ENVID
ALTER TABLE deliveries ADD COLUMN return TEXT;                             -- RET: FULL, HDRS
ALTER TABLE deliveries ADD COLUMN require_tls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN notify TEXT;                             -- NOTIFY: NEVER, or of SUCCESS, FAILURE, DELAY, with commas
ALTER TABLE deliveries ADD COLUMN original_recipient TEXT;                 -- ORCPT: type;address

-- The envelope of a draft that a mail program handed in to be sent later (RFC 4865): it leaves as it came. JSON object;
-- NULL: any other draft.
ALTER TABLE drafts ADD COLUMN envelope TEXT;

-- What a key's secret is proved against where it is not said (SCRAM-SHA-256, RFC 7677): StoredKey and ServerKey. NULL: a
-- public key, or one from before that was not used since.
ALTER TABLE api_keys ADD COLUMN scram BLOB;
