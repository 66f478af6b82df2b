-- What the invites, teams, models and photos scopes stand for, and what makes it safe to retry.
-- Times are Unix milliseconds, flags 0 or 1, credits hundredths. See ../README.md.

-- Sums and counts that lists and limits need, kept in the transactions that change them.
CREATE TABLE tallies (
    org_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (org_id, name)
);
INSERT INTO tallies (org_id, name, n)
    SELECT org_id, 'credits', CAST(SUM(amount) AS BIGINT) FROM credit_entries GROUP BY org_id;

-- Days after which a finished shoot is deleted with everything in it; 0 keeps it.
ALTER TABLE organizations ADD COLUMN erase_after_days BIGINT NOT NULL DEFAULT 0;

ALTER TABLE users ADD COLUMN anonymous BIGINT NOT NULL DEFAULT 0;

-- Which stage a listed member is at, and the session that says so.
ALTER TABLE memberships ADD COLUMN stage TEXT COLLATE "C" NOT NULL DEFAULT 'accepted';
ALTER TABLE memberships ADD COLUMN listed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE memberships ADD COLUMN model_id TEXT COLLATE "C";
UPDATE memberships SET listed = 1 WHERE role = 'member';
CREATE INDEX memberships_listed ON memberships (org_id, listed, created_at, user_id);
CREATE INDEX memberships_stage ON memberships (org_id, listed, stage, created_at, user_id);
CREATE INDEX memberships_team ON memberships (team_id);
INSERT INTO tallies (org_id, name, n)
    SELECT org_id, 'members.accepted', COUNT(*) FROM memberships WHERE listed = 1 GROUP BY org_id;

CREATE TABLE invites (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    email TEXT COLLATE "C" NOT NULL,
    email_key TEXT COLLATE "C" NOT NULL,
    team_id TEXT COLLATE "C" REFERENCES teams (id) ON DELETE SET NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    reserved BIGINT NOT NULL,
    used_at BIGINT,
    user_id TEXT COLLATE "C",
    user_email_key TEXT COLLATE "C",
    model_id TEXT COLLATE "C"
);
CREATE INDEX invites_org ON invites (org_id, created_at, id);
CREATE INDEX invites_email ON invites (org_id, email_key, created_at);
CREATE INDEX invites_user_email ON invites (org_id, user_email_key, created_at);
CREATE INDEX invites_open ON invites (org_id, state, expires_at);
CREATE INDEX invites_team ON invites (team_id);
CREATE INDEX invites_running ON invites (expires_at) WHERE state = 'open';

CREATE TABLE models (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    user_id TEXT COLLATE "C" NOT NULL,
    uid TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    gender TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    team_id TEXT COLLATE "C" REFERENCES teams (id) ON DELETE SET NULL,
    development BIGINT NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    reserved BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    favorite_id TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    submitted_at BIGINT,
    finished_at BIGINT,
    deleted_at BIGINT,
    invite_expires_at BIGINT
);
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
    token_hash BYTEA NOT NULL PRIMARY KEY,
    model_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX access_links_model ON access_links (model_id);

CREATE TABLE photos (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    model_id TEXT COLLATE "C" NOT NULL,
    place BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    liked TEXT COLLATE "C" NOT NULL,
    format TEXT COLLATE "C" NOT NULL,
    recipe TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX photos_place ON photos (model_id, place);

CREATE TABLE uploads (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    model_id TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    format TEXT COLLATE "C" NOT NULL,
    bytes BIGINT NOT NULL,
    verdict TEXT COLLATE "C" NOT NULL,
    usable BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX uploads_digest ON uploads (model_id, digest);
CREATE INDEX uploads_created ON uploads (created_at, id);

-- Objects that are to be deleted: written in the transaction that deletes their rows, and kept for
-- an hour after it, so that nobody who was still writing leaves one behind.
CREATE TABLE doomed_objects (
    path TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    folder BIGINT NOT NULL,
    gone BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX doomed_objects_due ON doomed_objects (gone, created_at, path);

-- Work that follows from a transaction, written in it.
CREATE TABLE jobs (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    lane TEXT COLLATE "C" NOT NULL,
    queue TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    run_at BIGINT NOT NULL,
    lease_until BIGINT,
    lease_by TEXT COLLATE "C",
    last_error TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX jobs_due ON jobs (state, run_at, id);
CREATE INDEX jobs_queue ON jobs (state, queue, run_at, id);
CREATE INDEX jobs_lane ON jobs (lane, state, run_at, id);

CREATE TABLE webhook_endpoints (
    org_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES organizations (id),
    url TEXT COLLATE "C" NOT NULL,
    secret BYTEA NOT NULL,
    previous_secret BYTEA,
    previous_until BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE webhook_events (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    model_id TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX webhook_events_org ON webhook_events (org_id, created_at, id);
CREATE INDEX webhook_events_state ON webhook_events (org_id, state, created_at, id);
CREATE INDEX webhook_events_created ON webhook_events (created_at);
CREATE INDEX webhook_events_model ON webhook_events (model_id);

CREATE TABLE webhook_deliveries (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL REFERENCES webhook_events (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    request_head TEXT COLLATE "C" NOT NULL,
    status BIGINT,
    response_head TEXT COLLATE "C" NOT NULL,
    response_body TEXT COLLATE "C" NOT NULL,
    error TEXT COLLATE "C",
    started_at BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL
);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_id, started_at, id);
CREATE INDEX webhook_deliveries_org ON webhook_deliveries (org_id, started_at, id);

-- The outbox: every mail, whether or not a mail server is configured.
CREATE TABLE mails (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    recipient TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    html TEXT COLLATE "C" NOT NULL,
    invite_id TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    error TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    sent_at BIGINT
);
CREATE INDEX mails_org ON mails (org_id, created_at, id);
CREATE INDEX mails_invite ON mails (invite_id, created_at);

CREATE TABLE idempotency_keys (
    org_id TEXT COLLATE "C" NOT NULL,
    idempotency_key TEXT COLLATE "C" NOT NULL,
    request_digest BYTEA NOT NULL,
    claimed_by TEXT COLLATE "C" NOT NULL,
    claimed_until BIGINT NOT NULL,
    answer TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, idempotency_key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
