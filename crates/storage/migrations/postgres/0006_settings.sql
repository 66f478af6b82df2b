-- What owners and admins set on the dashboard.

-- Whether they are mailed when few credits are left.
ALTER TABLE organizations ADD COLUMN low_credit_mail BIGINT NOT NULL DEFAULT 1;

-- An organization's own backdrop images and its logo, by the SHA-256 of the stored file in hex, as
-- recipes name them. A logo shows itself; an image has a small copy for pages.
CREATE TABLE brand_assets (
    org_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    digest TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    bytes BYTEA NOT NULL,
    preview BYTEA,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, digest)
);
