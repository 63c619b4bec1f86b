-- Domains that customers bring. Those there are so far were made by the installation itself (its default domain): they
-- are not listed, not counted and never checked.
ALTER TABLE domains ADD COLUMN builtin INTEGER NOT NULL DEFAULT 1;
ALTER TABLE domains ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0; -- invisible; its inboxes are being removed
ALTER TABLE domains ADD COLUMN client_id TEXT;
ALTER TABLE domains ADD COLUMN status TEXT NOT NULL DEFAULT 'VERIFIED';
ALTER TABLE domains ADD COLUMN reason TEXT;
ALTER TABLE domains ADD COLUMN feedback_enabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE domains ADD COLUMN subdomains_enabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE domains ADD COLUMN tracking_enabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE domains ADD COLUMN shares_mx INTEGER NOT NULL DEFAULT 0;  -- another provider's MX records may stand beside ours
ALTER TABLE domains ADD COLUMN subdomains_verified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE domains ADD COLUMN records TEXT;          -- JSON array: what to publish, and what the last check found
ALTER TABLE domains ADD COLUMN keys TEXT;             -- JSON array: DKIM keys, with their secrets
ALTER TABLE domains ADD COLUMN checks INTEGER NOT NULL DEFAULT 0; -- in a row that did not find everything
ALTER TABLE domains ADD COLUMN failing_since INTEGER; -- since when records are wanting without which there is no mail
ALTER TABLE domains ADD COLUMN next_check_at INTEGER; -- NULL: never
CREATE UNIQUE INDEX domains_by_client_id ON domains (pod_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX domains_of_all_by_time ON domains (created_at, id);
CREATE INDEX domains_due ON domains (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX domains_deleted ON domains (id) WHERE deleted = 1;

-- The domain that an inbox lives and dies with; NULL under the installation's own. There is no foreign key: a domain of
-- all pods has no pod to share with its inboxes.
ALTER TABLE inboxes ADD COLUMN domain_id INTEGER;
CREATE INDEX inboxes_by_domain ON inboxes (domain_id, id) WHERE domain_id IS NOT NULL;
