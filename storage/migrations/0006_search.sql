-- Words are found in one index, parts of addresses and subjects by their trigrams in another. Neither keeps where in a
-- message a term stands. All messages are indexed anew for that, in the background.

DROP TABLE search;
CREATE VIRTUAL TABLE search USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE search_parts USING fts5 (parts, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram');
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
