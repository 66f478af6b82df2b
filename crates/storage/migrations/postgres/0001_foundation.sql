-- Times are Unix milliseconds, flags 0 or 1, credits hundredths. See ../README.md.

CREATE TABLE organizations (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    website TEXT COLLATE "C" NOT NULL,
    plan TEXT COLLATE "C" NOT NULL,
    credits_unlimited BIGINT NOT NULL,
    whitelabel BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE teams (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    name TEXT COLLATE "C" NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX teams_org_name ON teams (org_id, name_key);

CREATE TABLE users (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    email TEXT COLLATE "C" NOT NULL,
    email_key TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C",
    password_hash TEXT COLLATE "C",
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_email ON users (email_key);

CREATE TABLE memberships (
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    role TEXT COLLATE "C" NOT NULL,
    team_id TEXT COLLATE "C" REFERENCES teams (id) ON DELETE SET NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE sessions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    token_hash BYTEA NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    user_agent TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX sessions_token ON sessions (token_hash);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE one_time_links (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    purpose TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX one_time_links_user ON one_time_links (user_id);

CREATE TABLE sign_in_failures (
    subject TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    window_start BIGINT NOT NULL,
    failures BIGINT NOT NULL
);

CREATE TABLE credit_entries (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    amount BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX credit_entries_org ON credit_entries (org_id, created_at);

CREATE TABLE api_keys (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    name TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    pepper_id TEXT COLLATE "C" NOT NULL,
    hint_first TEXT COLLATE "C" NOT NULL,
    hint_last TEXT COLLATE "C" NOT NULL,
    scopes TEXT COLLATE "C" NOT NULL,
    networks TEXT COLLATE "C" NOT NULL,
    nonce TEXT COLLATE "C",
    created_by TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    deleted_at BIGINT,
    deleted_by TEXT COLLATE "C",
    last_used_at BIGINT,
    last_used_address TEXT COLLATE "C",
    last_used_call TEXT COLLATE "C",
    browser_used_at BIGINT
);
CREATE UNIQUE INDEX api_keys_digest ON api_keys (digest);
CREATE UNIQUE INDEX api_keys_nonce ON api_keys (nonce);
CREATE INDEX api_keys_org ON api_keys (org_id, created_at);

-- Immediate deletion: see the verification module of the app crate.
CREATE TABLE auth_epoch (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch BIGINT NOT NULL
);
INSERT INTO auth_epoch (id, epoch) VALUES (1, 1);

CREATE TABLE auth_invalidations (
    epoch BIGINT NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C"
);

CREATE TABLE auth_nodes (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    acked_epoch BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    flushed_at BIGINT NOT NULL
);

-- Request ids start with the time, so the key is also the order and the clock of the log.
CREATE TABLE api_requests (
    org_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    node TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C",
    key_state TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C",
    method TEXT COLLATE "C" NOT NULL,
    route TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    status BIGINT NOT NULL,
    code TEXT COLLATE "C",
    refused_by TEXT COLLATE "C",
    duration_us BIGINT NOT NULL,
    request_bytes BIGINT NOT NULL,
    response_bytes BIGINT NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    user_agent TEXT COLLATE "C" NOT NULL,
    browser BIGINT NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX api_requests_dead_key ON api_requests (key_id, id) WHERE key_state = 'deleted';

CREATE TABLE api_request_hours (
    org_id TEXT COLLATE "C" NOT NULL,
    hour BIGINT NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    requests BIGINT NOT NULL,
    PRIMARY KEY (org_id, hour, key_id, outcome)
);

CREATE TABLE audit_head (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

CREATE TABLE audit_entries (
    seq BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    org_id TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL
);
CREATE INDEX audit_entries_org ON audit_entries (org_id, seq);

CREATE FUNCTION audit_entries_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are append-only';
END
$$;

CREATE TRIGGER audit_entries_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
EXECUTE FUNCTION audit_entries_refuse();
