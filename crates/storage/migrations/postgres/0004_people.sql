-- What a person does in a session: consent, and where it may be embedded.

-- Which text a person agreed to, and when and from where.
CREATE TABLE consents (
    model_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    version TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    agreed_at BIGINT NOT NULL
);

-- Which looks an organization's shoots are made in, as JSON; empty is all of them.
ALTER TABLE organizations ADD COLUMN studio TEXT COLLATE "C" NOT NULL DEFAULT '';

-- Origins whose pages may show a person's session in a frame, separated by spaces.
ALTER TABLE organizations ADD COLUMN embed_origins TEXT COLLATE "C" NOT NULL DEFAULT '';
