-- The full-text index finds words. Parts of addresses and subjects are found by their trigrams, in an index that is
-- filled along with it; all messages are indexed anew for that, in the background.
CREATE VIRTUAL TABLE search_parts USING fts5 (
  scope, sender, recipients, subject,
  content = '', contentless_delete = 1, tokenize = 'trigram'
);
INSERT INTO search (search) VALUES ('delete-all');
UPDATE organization SET indexed = 0;

-- The words of inboxes' addresses and display names.
CREATE TABLE inbox_words (
  pod_id   INTEGER NOT NULL,
  inbox_id INTEGER NOT NULL,
  word     TEXT NOT NULL,
  PRIMARY KEY (pod_id, word, inbox_id),
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
) WITHOUT ROWID;
CREATE INDEX inbox_words_of_all ON inbox_words (word, pod_id, inbox_id);
CREATE INDEX inbox_words_by_inbox ON inbox_words (pod_id, inbox_id);
ALTER TABLE organization ADD COLUMN inboxes_indexed INTEGER NOT NULL DEFAULT 0; -- whether inbox_words has the inboxes from before there was one
