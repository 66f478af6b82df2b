-- What an organization's shoots cost and give.
ALTER TABLE organizations ADD COLUMN package TEXT COLLATE "C" NOT NULL DEFAULT 'normal';
