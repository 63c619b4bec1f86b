-- What was found out about a message that came in, and why it is where it is. It stands at the end of the row, which lists
-- do not read up to.
ALTER TABLE messages ADD COLUMN intake TEXT; -- JSON; NULL: it did not come in, or before this was kept
