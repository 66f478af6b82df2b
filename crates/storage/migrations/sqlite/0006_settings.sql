-- What owners and admins set on the dashboard.

-- Whether they are mailed when few credits are left.
ALTER TABLE organizations ADD COLUMN low_credit_mail INTEGER NOT NULL DEFAULT 1;

-- An organization's own backdrop images and its logo, by the SHA-256 of the stored file in hex, as
-- recipes name them. A logo shows itself; an image has a small copy for pages.
CREATE TABLE brand_assets (
    org_id TEXT NOT NULL REFERENCES organizations (id),
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes BLOB NOT NULL,
    preview BLOB,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, digest)
) STRICT;
