-- To whom inboxes hand on what arrives in them.

ALTER TABLE inboxes ADD COLUMN forwarding TEXT; -- JSON
CREATE INDEX inboxes_forwarding ON inboxes (id) WHERE forwarding IS NOT NULL;
