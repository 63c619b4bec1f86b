-- Agents that signed themselves up: a pod each, for a human who is to say that he is behind it.
CREATE TABLE agent_sign_ups (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id          INTEGER NOT NULL REFERENCES pods (id),
  human_email     TEXT NOT NULL UNIQUE,       -- in lower case
  inbox           TEXT NOT NULL,              -- its address
  api_key_id      TEXT NOT NULL,
  code_hash       BLOB,                       -- NULL: none was mailed, or it is void
  code_expires_at INTEGER,
  wrong           INTEGER NOT NULL DEFAULT 0, -- codes tried
  locked_until    INTEGER,
  verified_at     INTEGER,
  source          TEXT,                       -- what signed up, and where it learnt of us, as it says
  referrer        TEXT,
  created_at      INTEGER NOT NULL
);
CREATE UNIQUE INDEX agent_sign_ups_by_pod ON agent_sign_ups (pod_id);
