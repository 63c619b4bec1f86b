-- Whom to tell what happens, and what is still to be told. Rows lie at the scope at which the webhook was made.

ALTER TABLE organization ADD COLUMN fanned INTEGER NOT NULL DEFAULT 0; -- events up to this one are handed to webhooks

CREATE TABLE webhooks (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id        INTEGER REFERENCES pods (id), -- NULL: organization
  inbox_id      INTEGER,                      -- NULL: organization or pod
  public_id     TEXT NOT NULL UNIQUE,
  client_id     TEXT,
  url           TEXT NOT NULL,
  event_types   TEXT NOT NULL,                -- JSON array
  places        TEXT,                         -- JSON array of pods and inboxes; NULL: all of the scope
  secret        TEXT NOT NULL,
  headers       TEXT,                         -- JSON object
  permissions   TEXT,                         -- JSON object: of the key that last said what is told; NULL: everything
  enabled       INTEGER NOT NULL DEFAULT 1,
  deleted       INTEGER NOT NULL DEFAULT 0,   -- invisible; its deliveries are being removed
  failing_since INTEGER,                      -- NULL: the last post was taken
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  UNIQUE (pod_id, id),
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
);
CREATE INDEX webhooks_by_time ON webhooks (pod_id, inbox_id, created_at, id);
CREATE INDEX webhooks_of_all_by_time ON webhooks (created_at, id);
CREATE INDEX webhooks_deleted ON webhooks (id) WHERE deleted = 1;
CREATE UNIQUE INDEX webhooks_by_client_id ON webhooks (client_id, ifnull(pod_id, 0), ifnull(inbox_id, 0)) WHERE client_id IS NOT NULL;

-- An event on its way to an endpoint. Those of one inbox form a lane: all but the first wait without a time of their own.
CREATE TABLE webhook_deliveries (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id          INTEGER,          -- of the webhook
  inbox_id        INTEGER,
  webhook_id      INTEGER NOT NULL,
  event           INTEGER NOT NULL, -- its sequence number; the event may be gone
  event_type      TEXT NOT NULL,
  event_pod       INTEGER,
  event_inbox     INTEGER,
  lane            INTEGER NOT NULL, -- the event's inbox; 0: none
  state           TEXT NOT NULL,    -- queued, delivered, failed, gone
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER,
  status          INTEGER,          -- HTTP, of the last answer
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  FOREIGN KEY (pod_id, webhook_id) REFERENCES webhooks (pod_id, id)
);
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_by_lane ON webhook_deliveries (webhook_id, lane, id) WHERE state = 'queued';
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_attempt_at) WHERE state = 'queued' AND next_attempt_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (updated_at) WHERE state <> 'queued';
CREATE INDEX webhook_deliveries_by_scope ON webhook_deliveries (pod_id, webhook_id);

CREATE TABLE webhook_attempts (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id      INTEGER,          -- of the webhook
  inbox_id    INTEGER,
  webhook_id  INTEGER NOT NULL,
  delivery_id INTEGER NOT NULL,
  status      INTEGER,          -- HTTP; NULL: there was no answer
  error       TEXT,             -- why there was none
  answer      TEXT,             -- how it begins
  took        INTEGER NOT NULL, -- microseconds
  created_at  INTEGER NOT NULL,
  FOREIGN KEY (pod_id, webhook_id) REFERENCES webhooks (pod_id, id)
);
CREATE INDEX webhook_attempts_by_delivery ON webhook_attempts (delivery_id, id);
CREATE INDEX webhook_attempts_by_scope ON webhook_attempts (pod_id, webhook_id);
CREATE INDEX webhook_attempts_by_webhook ON webhook_attempts (webhook_id, id);
CREATE INDEX webhook_attempts_by_age ON webhook_attempts (created_at);
