-- What a person does in a session: consent, and where it may be embedded.

-- Which text a person agreed to, and when and from where.
CREATE TABLE consents (
    model_id TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES organizations (id),
    version TEXT NOT NULL,
    address TEXT NOT NULL,
    agreed_at INTEGER NOT NULL
) STRICT;

-- Which looks an organization's shoots are made in, as JSON; empty is all of them.
ALTER TABLE organizations ADD COLUMN studio TEXT NOT NULL DEFAULT '';

-- Origins whose pages may show a person's session in a frame, separated by spaces.
ALTER TABLE organizations ADD COLUMN embed_origins TEXT NOT NULL DEFAULT '';
