-- Keys are of two types from here on: bearer keys, and public keys, which have no secret.

CREATE TABLE api_keys_2 (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id      INTEGER REFERENCES pods (id), -- NULL: organization
  inbox_id    INTEGER,                      -- NULL: organization or pod
  public_id   TEXT NOT NULL UNIQUE,
  type        TEXT NOT NULL,                -- bearer, public_key
  client_id   TEXT,
  name        TEXT NOT NULL,
  prefix      TEXT,                         -- NULL: a public key
  hash        BLOB UNIQUE,                  -- SHA-256 of the secret; NULL: a public key
  public_key  TEXT,                         -- JSON object; NULL: a bearer key
  permissions TEXT,                         -- JSON object; NULL: everything in scope
  created_by  TEXT,                         -- public id of the key that made it, which may be gone; NULL: the operator
  used_at     INTEGER,
  expires_at  INTEGER,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id),
  CHECK ((type = 'bearer') = (hash IS NOT NULL) AND (type = 'public_key') = (public_key IS NOT NULL))
);
INSERT INTO api_keys_2 (id, pod_id, inbox_id, public_id, type, name, prefix, hash, permissions, used_at, expires_at, created_at, updated_at)
  SELECT id, pod_id, inbox_id, public_id, 'bearer', name, prefix, hash, permissions, used_at, expires_at, created_at, updated_at FROM api_keys;
DROP TABLE api_keys;
ALTER TABLE api_keys_2 RENAME TO api_keys;
CREATE INDEX api_keys_by_time ON api_keys (pod_id, inbox_id, created_at, id);
CREATE INDEX api_keys_of_all_by_time ON api_keys (created_at, id);
-- A client id is unique where the key was registered; what others chose is nobody's business.
CREATE UNIQUE INDEX api_keys_by_client_id ON api_keys (client_id, ifnull(pod_id, 0), ifnull(inbox_id, 0)) WHERE client_id IS NOT NULL;
