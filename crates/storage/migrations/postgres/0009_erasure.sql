-- What an erasure has to find, and has to say.

-- Since when an event tells nothing of its person any more.
ALTER TABLE webhook_events ADD COLUMN erased_at BIGINT;

-- Whose session a mail is about, where it is about one.
ALTER TABLE mails ADD COLUMN model_id TEXT COLLATE "C";
CREATE INDEX mails_model ON mails (model_id);
CREATE INDEX invites_model ON invites (model_id);
