-- The API log without its repetitions. The rows move; the old table stays, empty, for a step back.

-- What requests have in common, once: everything but id, time, duration and organization.
CREATE TABLE api_log_shapes (
    id BLOB NOT NULL PRIMARY KEY,
    -- The hour in which the last request of this shape came.
    seen_at INTEGER NOT NULL,
    node TEXT NOT NULL,
    key_id TEXT,
    key_state TEXT NOT NULL,
    fingerprint TEXT,
    method TEXT NOT NULL,
    route TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    code TEXT,
    refused_by TEXT,
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    browser INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX api_log_shapes_seen ON api_log_shapes (seen_at);

CREATE TABLE api_log (
    org_id TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    shape BLOB NOT NULL,
    duration_us INTEGER NOT NULL,
    -- The key, where it was tried after its deletion.
    dead_key TEXT,
    PRIMARY KEY (org_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_log_dead_key ON api_log (dead_key, id) WHERE dead_key IS NOT NULL;

-- Stretches in which a node's requests may be missing.
CREATE TABLE api_log_gaps (
    id TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    node TEXT NOT NULL,
    lost INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each old row becomes a shape of its own, named by its id.
INSERT INTO api_log_shapes (id, seen_at, node, key_id, key_state, fingerprint, method, route, path, status, code,
    refused_by, request_bytes, response_bytes, address, user_agent, browser)
SELECT CAST(id AS BLOB), at, node, key_id, key_state, fingerprint, method, route, path, status, code,
    refused_by, request_bytes, response_bytes, address, user_agent, browser
FROM api_requests WHERE kind = 'request';
INSERT INTO api_log (org_id, id, at, shape, duration_us, dead_key)
SELECT org_id, id, at, CAST(id AS BLOB), duration_us, CASE WHEN key_state = 'deleted' THEN key_id END
FROM api_requests WHERE kind = 'request';
INSERT INTO api_log_gaps (id, at, node, lost) SELECT id, at, node, status FROM api_requests WHERE kind = 'gap';
DELETE FROM api_requests;
