-- Mails are forgotten by their age.
CREATE INDEX mails_created ON mails (created_at);
