-- The API log without its repetitions. The rows move; the old table stays, empty, for a step back.

-- What requests have in common, once: everything but id, time, duration and organization.
CREATE TABLE api_log_shapes (
    id BYTEA NOT NULL PRIMARY KEY,
    -- The hour in which the last request of this shape came.
    seen_at BIGINT NOT NULL,
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
    request_bytes BIGINT NOT NULL,
    response_bytes BIGINT NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    user_agent TEXT COLLATE "C" NOT NULL,
    browser BIGINT NOT NULL
);
CREATE INDEX api_log_shapes_seen ON api_log_shapes (seen_at);

CREATE TABLE api_log (
    org_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    shape BYTEA NOT NULL,
    duration_us BIGINT NOT NULL,
    -- The key, where it was tried after its deletion.
    dead_key TEXT COLLATE "C",
    PRIMARY KEY (org_id, id)
);
CREATE INDEX api_log_dead_key ON api_log (dead_key, id) WHERE dead_key IS NOT NULL;

-- Stretches in which a node's requests may be missing.
CREATE TABLE api_log_gaps (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    node TEXT COLLATE "C" NOT NULL,
    lost BIGINT NOT NULL
);

-- Each old row becomes a shape of its own, named by its id.
INSERT INTO api_log_shapes (id, seen_at, node, key_id, key_state, fingerprint, method, route, path, status, code,
    refused_by, request_bytes, response_bytes, address, user_agent, browser)
SELECT convert_to(id, 'UTF8'), at, node, key_id, key_state, fingerprint, method, route, path, status, code,
    refused_by, request_bytes, response_bytes, address, user_agent, browser
FROM api_requests WHERE kind = 'request';
INSERT INTO api_log (org_id, id, at, shape, duration_us, dead_key)
SELECT org_id, id, at, convert_to(id, 'UTF8'), duration_us, CASE WHEN key_state = 'deleted' THEN key_id END
FROM api_requests WHERE kind = 'request';
INSERT INTO api_log_gaps (id, at, node, lost) SELECT id, at, node, status FROM api_requests WHERE kind = 'gap';
DELETE FROM api_requests;
