-- What the invites, teams, models and photos scopes stand for, and what makes it safe to retry.
-- Times are Unix milliseconds, flags 0 or 1, credits hundredths. See ../README.md.

-- Sums and counts that lists and limits need, kept in the transactions that change them.
CREATE TABLE tallies (
    org_id TEXT NOT NULL,
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (org_id, name)
) STRICT, WITHOUT ROWID;
INSERT INTO tallies (org_id, name, n)
    SELECT org_id, 'credits', CAST(SUM(amount) AS BIGINT) FROM credit_entries GROUP BY org_id;

-- Days after which a finished shoot is deleted with everything in it; 0 keeps it.
ALTER TABLE organizations ADD COLUMN erase_after_days INTEGER NOT NULL DEFAULT 0;

ALTER TABLE users ADD COLUMN anonymous INTEGER NOT NULL DEFAULT 0;

-- Which stage a listed member is at, and the session that says so.
ALTER TABLE memberships ADD COLUMN stage TEXT NOT NULL DEFAULT 'accepted';
ALTER TABLE memberships ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE memberships ADD COLUMN model_id TEXT;
UPDATE memberships SET listed = 1 WHERE role = 'member';
CREATE INDEX memberships_listed ON memberships (org_id, listed, created_at, user_id);
CREATE INDEX memberships_stage ON memberships (org_id, listed, stage, created_at, user_id);
CREATE INDEX memberships_team ON memberships (team_id);
INSERT INTO tallies (org_id, name, n)
    SELECT org_id, 'members.accepted', COUNT(*) FROM memberships WHERE listed = 1 GROUP BY org_id;

CREATE TABLE invites (
    id TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES organizations (id),
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    team_id TEXT REFERENCES teams (id) ON DELETE SET NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    reserved INTEGER NOT NULL,
    used_at INTEGER,
    user_id TEXT,
    user_email_key TEXT,
    model_id TEXT
) STRICT;
CREATE INDEX invites_org ON invites (org_id, created_at, id);
CREATE INDEX invites_email ON invites (org_id, email_key, created_at);
CREATE INDEX invites_user_email ON invites (org_id, user_email_key, created_at);
CREATE INDEX invites_open ON invites (org_id, state, expires_at);
CREATE INDEX invites_team ON invites (team_id);
CREATE INDEX invites_running ON invites (expires_at) WHERE state = 'open';

CREATE TABLE models (
    id TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES organizations (id),
    user_id TEXT NOT NULL,
    uid TEXT NOT NULL,
    email TEXT NOT NULL,
    title TEXT NOT NULL,
    gender TEXT,
    status TEXT NOT NULL,
    team_id TEXT REFERENCES teams (id) ON DELETE SET NULL,
    development INTEGER NOT NULL,
    version TEXT NOT NULL,
    reserved INTEGER NOT NULL,
    charged INTEGER NOT NULL,
    favorite_id TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    submitted_at INTEGER,
    finished_at INTEGER,
    deleted_at INTEGER,
    invite_expires_at INTEGER
) STRICT;
CREATE INDEX models_org ON models (org_id, created_at, id);
CREATE INDEX models_status ON models (org_id, status, created_at, id);
CREATE INDEX models_team ON models (team_id, created_at, id);
CREATE INDEX models_team_status ON models (team_id, status, created_at, id);
CREATE INDEX models_user ON models (user_id);
CREATE INDEX models_favorite ON models (org_id, created_at, id) WHERE favorite_id IS NOT NULL;
CREATE INDEX models_team_favorite ON models (team_id, created_at, id) WHERE favorite_id IS NOT NULL;
CREATE INDEX models_reserved ON models (invite_expires_at) WHERE reserved > 0;
CREATE INDEX models_finished ON models (status, finished_at);

-- What opens a person's session without an account: the signed URL's token, hashed.
CREATE TABLE access_links (
    token_hash BLOB NOT NULL PRIMARY KEY,
    model_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX access_links_model ON access_links (model_id);

CREATE TABLE photos (
    id TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES organizations (id),
    model_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    status TEXT NOT NULL,
    liked TEXT NOT NULL,
    format TEXT NOT NULL,
    recipe TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX photos_place ON photos (model_id, place);

CREATE TABLE uploads (
    id TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES organizations (id),
    model_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    format TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    usable INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX uploads_digest ON uploads (model_id, digest);
CREATE INDEX uploads_created ON uploads (created_at, id);

-- Objects that are to be deleted: written in the transaction that deletes their rows, and kept for
-- an hour after it, so that nobody who was still writing leaves one behind.
CREATE TABLE doomed_objects (
    path TEXT NOT NULL PRIMARY KEY,
    folder INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX doomed_objects_due ON doomed_objects (gone, created_at, path);

-- Work that follows from a transaction, written in it.
CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    lane TEXT NOT NULL,
    queue TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    run_at INTEGER NOT NULL,
    lease_until INTEGER,
    lease_by TEXT,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX jobs_due ON jobs (state, run_at, id);
CREATE INDEX jobs_queue ON jobs (state, queue, run_at, id);
CREATE INDEX jobs_lane ON jobs (lane, state, run_at, id);

CREATE TABLE webhook_endpoints (
    org_id TEXT NOT NULL PRIMARY KEY REFERENCES organizations (id),
    url TEXT NOT NULL,
    secret BLOB NOT NULL,
    previous_secret BLOB,
    previous_until INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE webhook_events (
    id TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES organizations (id),
    model_id TEXT NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_events_org ON webhook_events (org_id, created_at, id);
CREATE INDEX webhook_events_state ON webhook_events (org_id, state, created_at, id);
CREATE INDEX webhook_events_created ON webhook_events (created_at);
CREATE INDEX webhook_events_model ON webhook_events (model_id);

CREATE TABLE webhook_deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL,
    event_id TEXT NOT NULL REFERENCES webhook_events (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    url TEXT NOT NULL,
    request_head TEXT NOT NULL,
    status INTEGER,
    response_head TEXT NOT NULL,
    response_body TEXT NOT NULL,
    error TEXT,
    started_at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_id, started_at, id);
CREATE INDEX webhook_deliveries_org ON webhook_deliveries (org_id, started_at, id);

-- The outbox: every mail, whether or not a mail server is configured.
CREATE TABLE mails (
    id TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    html TEXT NOT NULL,
    invite_id TEXT,
    state TEXT NOT NULL,
    error TEXT,
    created_at INTEGER NOT NULL,
    sent_at INTEGER
) STRICT;
CREATE INDEX mails_org ON mails (org_id, created_at, id);
CREATE INDEX mails_invite ON mails (invite_id, created_at);

CREATE TABLE idempotency_keys (
    org_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_digest BLOB NOT NULL,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    answer TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, idempotency_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
